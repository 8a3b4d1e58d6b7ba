import { Select } from "@/components/ui/Field";
import type { Model } from "@/lib/api/types";

/** The served models, fine-tuned ones first; archived ones answer nobody. */
export function ModelSelect({ models, value, onChange, label, tie = {} }: {
  models: Model[];
  value: string;
  onChange: (model: string) => void;
  label?: string;
  tie?: object;
}) {
  const served = models.filter((model) => !model.archived);
  const tuned = served.filter((model) => model.type === "fine-tuned");
  return (
    <Select aria-label={label} {...tie} value={served.some((model) => model.id === value) ? value : ""} onChange={(event) => onChange(event.target.value)}>
      <option value="">Choose a model …</option>
      {tuned.length > 0 ? (
        <optgroup label="Fine-tuned">
          {tuned.map((model) => (
            <option key={model.id} value={model.id}>
              {model.name ? `${model.name} (${model.id})` : model.id}
            </option>
          ))}
        </optgroup>
      ) : null}
      <optgroup label="Base">
        {served
          .filter((model) => model.type === "base")
          .map((model) => (
            <option key={model.id}>{model.id}</option>
          ))}
      </optgroup>
    </Select>
  );
}
