import { MapPinOff } from "lucide-react";
import { ButtonLink } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Panel } from "@/components/ui/Panel";

export default function NotFound() {
  return (
    <Panel className="mx-auto mt-[8vh] max-w-xl">
      <Empty isPage icon={MapPinOff} title="There is nothing at this address" actions={<ButtonLink href="/">Home</ButtonLink>} />
    </Panel>
  );
}
