"use client";

import { useCallback, useEffect, useRef, useState } from "react";
import { fillPath, socketUrl } from "@/lib/api/url";
import { EventStream, type StreamState } from "@/lib/events/stream";
import { follow, noProgress, type Progress } from "@/lib/jobs/progress";

export interface Followed {
  progress: Progress;
  state: StreamState;
  /** Grows with `progress`, which is changed in place. */
  version: number;
  retryNow: () => void;
}

/**
 * A job's events, live, drawn at most once a frame however fast they come.
 *
 * @param turn Another number follows the job from its beginning again: it was resumed after it had ended.
 */
export function useJobEvents(jobId: string, turn: number): Followed {
  const progress = useRef<Progress>(noProgress());
  const stream = useRef<EventStream | null>(null);
  const [state, setState] = useState<StreamState>("connecting");
  const [version, setVersion] = useState(0);

  useEffect(() => {
    progress.current = noProgress();
    let frame: number | null = null;
    const draw = () => {
      frame = null;
      setVersion((last) => last + 1);
    };
    const path = fillPath("/v1/fine_tuning/jobs/{job_id}/events/ws", { job_id: jobId });
    const made = new EventStream({
      open: (after, { onOpen, onMessage, onClose }) => {
        const socket = new WebSocket(socketUrl(`${path}?after=${after}`, location.origin));
        socket.onopen = onOpen;
        socket.onmessage = (message) => onMessage(message.data);
        socket.onclose = (close) => onClose(close.code);
        return () => socket.close();
      },
      onEvent: (event) => {
        follow(progress.current, event);
        frame ??= requestAnimationFrame(draw);
      },
      onState: setState,
    });
    stream.current = made;
    made.start();
    const back = () => made.retryNow();
    window.addEventListener("online", back);
    document.addEventListener("visibilitychange", back);
    return () => {
      window.removeEventListener("online", back);
      document.removeEventListener("visibilitychange", back);
      if (frame !== null) cancelAnimationFrame(frame);
      made.close();
    };
  }, [jobId, turn]);

  const retryNow = useCallback(() => stream.current?.retryNow(), []);
  return { progress: progress.current, state, version, retryNow };
}
