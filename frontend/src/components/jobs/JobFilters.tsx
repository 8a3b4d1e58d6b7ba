import { Input, Select } from "@/components/ui/Field";
import { NO_FILTERS, type Filters } from "@/lib/jobs/filtering";
import { meaningOf, STATUSES } from "@/lib/jobs/status";

export function JobFilters({ filters, onChange, models }: { filters: Filters; onChange: (filters: Filters) => void; models: string[] }) {
  const set = (change: Partial<Filters>) => onChange({ ...filters, ...change });
  return (
    <div className="flex flex-wrap gap-2" role="search" aria-label="Jobs">
      <Input
        type="search"
        aria-label="Search jobs"
        placeholder="Name or id"
        className="w-full sm:w-56"
        value={filters.text}
        onChange={(event) => set({ text: event.target.value })}
      />
      <Select aria-label="Status" className="w-auto flex-1 sm:flex-none" value={filters.status} onChange={(event) => set({ status: event.target.value })}>
        <option value="">Any status</option>
        <option value="open">Not ended</option>
        {STATUSES.map((status) => (
          <option key={status} value={status}>
            {meaningOf(status).word}
          </option>
        ))}
      </Select>
      <Select aria-label="Model" className="w-auto max-w-full flex-1 sm:flex-none" value={filters.model} onChange={(event) => set({ model: event.target.value })}>
        <option value="">Any model</option>
        {models.map((model) => (
          <option key={model}>{model}</option>
        ))}
      </Select>
      {filters !== NO_FILTERS && Object.values(filters).some(Boolean) ? (
        <button type="button" className="rounded px-2 text-ink-soft underline underline-offset-2" onClick={() => onChange(NO_FILTERS)}>
          Clear
        </button>
      ) : null}
    </div>
  );
}
