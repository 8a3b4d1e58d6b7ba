import { Monitor, Moon, Sun } from "lucide-react";
import { Button } from "@/components/ui/Button";
import type { Theme } from "@/hooks/useTheme";

const LOOKS = {
  system: { Icon: Monitor, label: "Theme: as the system" },
  light: { Icon: Sun, label: "Theme: light" },
  dark: { Icon: Moon, label: "Theme: dark" },
};

export function ThemeButton({ theme, onClick }: { theme: Theme; onClick: () => void }) {
  const { Icon, label } = LOOKS[theme];
  return (
    <Button look="quiet" size="icon" aria-label={label} title={label} onClick={onClick}>
      <Icon aria-hidden />
    </Button>
  );
}
