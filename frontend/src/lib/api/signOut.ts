import { send } from "./client";
import { noteReach } from "./reach";

/** End this browser's session; the page for those who are not signed in follows. */
export async function signOut(): Promise<void> {
  try {
    await send("post", "/sign-out");
  } catch {
    return; // not reached, or signed out already: both are shown
  }
  noteReach("signed-out");
}
