"use client";

import { Modal } from "@/components/ui/Modal";
import { SHORTCUTS } from "@/lib/shortcuts";

/** All shortcuts, and the switch that turns them off: they can be in the way of a screen reader's own. */
export function ShortcutList({ open, onOpenChange, isOn, onSwitch }: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  isOn: boolean;
  onSwitch: (isOn: boolean) => void;
}) {
  return (
    <Modal open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts">
      <dl className="grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2">
        {SHORTCUTS.map(({ keys, label }) => (
          <div key={label} className="contents">
            <dt className="flex gap-1">
              {keys.map((key) => (
                <kbd key={key} className="min-w-6 rounded border border-line-strong/60 bg-sunken px-1.5 text-center font-mono text-xs leading-5">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
      <label className="mt-5 flex items-center gap-2">
        <input type="checkbox" className="size-4 accent-accent" checked={isOn} onChange={(event) => onSwitch(event.target.checked)} />
        Use these shortcuts
      </label>
    </Modal>
  );
}
