"use client";

import { KeyRound } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { Button } from "@/components/ui/Button";
import { Empty } from "@/components/ui/Empty";
import { Panel } from "@/components/ui/Panel";
import { useReach } from "@/hooks/useReach";
import { send } from "@/lib/api/client";

/** How to sign in, for whoever is not. */
export function SignedOut() {
  const router = useRouter();
  const reach = useReach();
  const look = () => void send("get", "/v1/models").catch(() => undefined); // notes what it finds
  useEffect(look, []);
  useEffect(() => {
    const back = () => document.visibilityState === "visible" && look();
    document.addEventListener("visibilitychange", back);
    return () => document.removeEventListener("visibilitychange", back);
  }, []);
  return (
    <Panel className="mx-auto mt-[8vh] max-w-xl">
      <Empty
        isPage
        icon={KeyRound}
        title={reach === "reached" ? "You are signed in" : "You are not signed in"}
        actions={
          reach === "reached" ? (
            <Button look="primary" onClick={() => router.replace("/")}>
              Go to the console
            </Button>
          ) : (
            <Button onClick={look}>I have opened the link</Button>
          )
        }
      >
        {reach === "reached" ? null : (
          <>
            <p>
              <code className="font-mono text-ink">mistraltune serve</code> prints a link when it starts. Open it in this browser; it works once.
            </p>
            <p className="mt-2">
              Another one: <code className="font-mono text-ink">mistraltune serve link</code> on the server&apos;s machine.
            </p>
          </>
        )}
      </Empty>
    </Panel>
  );
}
