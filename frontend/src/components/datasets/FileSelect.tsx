import { Select } from "@/components/ui/Field";
import type { DataFile } from "@/lib/api/types";
import { formatNoun } from "@/lib/format/number";

/** The uploaded files, each with its rows; `none` stands for no choice. */
export function FileSelect({ files, value, onChange, none = "Choose …", tie = {} }: {
  files: DataFile[];
  value: string;
  onChange: (id: string) => void;
  none?: string;
  tie?: object;
}) {
  return (
    <Select {...tie} value={files.some((file) => file.id === value) ? value : ""} onChange={(event) => onChange(event.target.value)}>
      <option value="">{none}</option>
      {files.map((file) => (
        <option key={file.id} value={file.id}>
          {file.filename} ({formatNoun(file.num_lines, "row")})
        </option>
      ))}
    </Select>
  );
}
