import { beforeEach, describe, expect, it } from "vitest";
import { EventStream, type Handlers, type StreamState } from "./stream";

class Line {
  isClosed = false;

  constructor(
    readonly after: number,
    readonly handlers: Handlers,
  ) {}

  say(...numbers: number[]): void {
    for (const seq of numbers) this.handlers.onMessage(JSON.stringify({ seq, created_at: 0, name: "step", data: {} }));
  }
}

describe("a job's events", () => {
  let lines: Line[];
  let heard: number[];
  let states: StreamState[];
  let timers: { run: () => void; milliseconds: number }[];
  let stream: EventStream;

  beforeEach(() => {
    lines = [];
    heard = [];
    states = [];
    timers = [];
    stream = new EventStream({
      open: (after, handlers) => {
        const line = new Line(after, handlers);
        lines.push(line);
        return () => (line.isClosed = true);
      },
      onEvent: (event) => heard.push(event.seq),
      onState: (state) => states.push(state),
      setTimer: (run, milliseconds) => timers.push({ run, milliseconds }),
      clearTimer: () => undefined,
    });
    stream.start();
  });

  const line = () => lines[lines.length - 1]!;

  it("are heard in order", () => {
    line().handlers.onOpen();
    line().say(1, 2, 3);
    expect(heard).toEqual([1, 2, 3]);
    expect(states).toEqual(["connecting", "live"]);
  });

  it("go on behind the last one after the connection was lost", () => {
    line().handlers.onOpen();
    line().say(1, 2);
    line().handlers.onClose(1006);
    expect(states.at(-1)).toBe("lost");
    timers[0]!.run();
    expect(line().after).toBe(2);
    line().handlers.onOpen();
    line().say(2, 3);
    expect(heard).toEqual([1, 2, 3]);
    expect(states.at(-1)).toBe("live");
  });

  it("are asked for again where one is missing", () => {
    line().handlers.onOpen();
    line().say(1, 4);
    expect(heard).toEqual([1]);
    expect(lines[0]!.isClosed).toBe(true);
    expect(line().after).toBe(1);
    line().say(2, 3, 4);
    expect(heard).toEqual([1, 2, 3, 4]);
  });

  it("end with the job", () => {
    line().handlers.onOpen();
    line().handlers.onClose(1000);
    expect(states.at(-1)).toBe("ended");
    expect(timers).toHaveLength(0);
  });

  it("are waited for longer each time, and for a short time again once the line was open", () => {
    for (let turn = 0; turn < 6; turn += 1) {
      line().handlers.onClose(1006);
      timers.at(-1)!.run();
    }
    expect(timers.map((timer) => timer.milliseconds)).toEqual([500, 1000, 2000, 4000, 8000, 10000]);
    line().handlers.onOpen();
    line().handlers.onClose(1006);
    expect(timers.at(-1)!.milliseconds).toBe(500);
  });

  it("stop when nobody listens any more", () => {
    line().handlers.onOpen();
    const left = line();
    stream.close();
    left.say(1);
    left.handlers.onClose(1006);
    expect(heard).toEqual([]);
    expect(timers).toHaveLength(0);
  });

  it("that cannot be read are passed over", () => {
    line().handlers.onOpen();
    line().handlers.onMessage("not JSON");
    line().handlers.onMessage(new ArrayBuffer(1));
    line().say(1);
    expect(heard).toEqual([1]);
  });
});
