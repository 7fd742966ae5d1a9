import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gzipSync } from "node:zlib";
import { toError, unpacked } from "../src/api/client";
import { connect, disconnect } from "../src/api/events";
import { followJobs, jobs } from "../src/state/jobs";
import { isField } from "../src/state/keys";
import { forget, name, nameOf } from "../src/state/names";
import { givesOne, inLimits, leftOut, mayBeScan, refusedPlace, sentName, waitFor } from "../src/state/uploads";
import { addressOf, filtersOf } from "../src/state/worklist";

describe("names of files", () => {
  beforeEach(() => localStorage.clear());

  it("are shown instead of the server's label, by the file's place", () => {
    name("job1", ["a.png", "b.png"]);
    expect(nameOf({ job: "job1", index: 1, label: "upload 1, file 2" })).toBe("b.png");
    expect(nameOf({ job: "job1", index: 5, file: 0, label: "upload 1, file 1" })).toBe("a.png");
    expect(nameOf({ job: "job1", index: 7, label: "upload 1, file 8" })).toBe("upload 1, file 8");
  });

  it("of old jobs are forgotten", () => {
    for (let job = 0; job < 210; job++) name(`job${job}`, ["x.png"]);
    expect(localStorage.getItem("atypia.names.job0")).toBeNull();
    expect(localStorage.getItem("atypia.names.job209")).not.toBeNull();
    forget("job209");
    expect(nameOf({ job: "job209", index: 0, label: "label" })).toBe("label");
  });

  it("that somebody else wrote badly do no harm", () => {
    localStorage.setItem("atypia.names.bad", '{"no": ["list"]}');
    expect(nameOf({ job: "bad", index: 0, label: "label" })).toBe("label");
    localStorage.setItem("atypia.names.worse", "[1, ");
    expect(nameOf({ job: "worse", index: 0, label: "label" })).toBe("label");
  });
});

describe("what the server tells of jobs", () => {
  const told: Record<string, (event: { data: string }) => void> = {};
  class Source {
    addEventListener(kind: string, then: (event: { data: string }) => void) {
      told[kind] = then;
    }
    close() {}
  }

  beforeEach(() => {
    vi.stubGlobal("EventSource", Source);
    vi.stubGlobal("fetch", () => Promise.reject(new Error("no server")));
  });
  afterEach(() => vi.unstubAllGlobals());

  it("leaves no line, and no name, of one that was deleted", () => {
    const stop = followJobs();
    connect();
    name("job1", ["a.png"]);
    told.job!({ data: JSON.stringify({ id: "job1", state: "running", done: 0, total: 1, findings: {} }) });
    expect(jobs.value.map((job) => job.id)).toEqual(["job1"]);
    for (const id of ["job1", "job2"]) told.job!({ data: JSON.stringify({ id, job: id, deleted: true }) });
    expect(jobs.value).toEqual([]);
    expect(nameOf({ job: "job1", index: 0, label: "label" })).toBe("label");
    disconnect();
    stop();
  });
});

describe("uploads", () => {
  const file = (bytes: number, called = "a.png") => ({ size: bytes, name: called }) as File;

  it("keep the server's limits, and lose nothing", () => {
    const files = Array.from({ length: 25 }, () => file(1e6));
    const { jobs, tooLarge } = inLimits([...files, file(9e6)], 10, 5e6);
    expect(tooLarge).toHaveLength(1);
    expect(jobs.flat()).toHaveLength(25);
    for (const job of jobs) {
      expect(job.length).toBeLessThanOrEqual(10);
      expect(job.reduce((sum, one) => sum + one.size, 0)).toBeLessThan(5e6);
    }
  });

  it("wait as the server says, else longer each time, and not for ever", () => {
    expect(waitFor({ status: 429, after: 7 }, 0)).toBe(7);
    expect([0, 1, 2, 9].map((tries) => waitFor({ status: 0, after: null }, tries))).toEqual([2, 4, 8, 30]);
    expect(waitFor({ status: 507, after: null }, 0)).toBe(30);
    expect(toError(429, "{}", "12").after).toBe(12);
    expect(toError(429, "{}", "Mon, 23 Nov 2026 11:00:00 GMT").after).toBeNull();
  });

  it("know which files make one finding each", () => {
    expect(["a.png", "b.nii.gz", "c.JPG"].every((called) => givesOne({ name: called }))).toBe(true);
    expect(["a.zip", "b.dcm", "c"].some((called) => givesOne({ name: called }))).toBe(false);
  });
});

describe("names on their way", () => {
  it("leave out what is no scan, and say so by name", () => {
    const scans = ["a.png", "b.NII.gz", "IM0001", "1.2.840.113619", "c.dcm", "d.zip"];
    expect(scans.every((name) => mayBeScan({ name }))).toBe(true);
    expect(["notes.txt", "report.pdf", "table.csv"].some((name) => mayBeScan({ name }))).toBe(false);
    expect(leftOut([{ name: "a.png", size: 0 }])).toBe("Left out, for it is no scan: a.png (empty).");
    const many = Array.from({ length: 7 }, (_, place) => ({ name: `${place}.txt`, size: 1 }));
    expect(leftOut(many)).toBe("Left out, for they are no scans: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more.");
    expect(refusedPlace('{"file": 3}')).toBe(3);
    expect(refusedPlace("<html>")).toBe(null);
  });

  it("tell the kind of file alone", () => {
    expect(sentName("Doe^Jane.NII.GZ", 0)).toBe("1.nii.gz");
    expect(sentName("1.2.840.113619", 4)).toBe("5");
    expect(sentName("Jane Doe.png", 1)).toBe("2.png");
  });
});

describe("addresses of the worklist", () => {
  it("say what was chosen, and are read back", () => {
    const chosen = { verdict: "abnormal", q: "a b&c", sort: "-created" };
    expect(filtersOf(new URLSearchParams(addressOf(chosen)))).toEqual(chosen);
    expect(addressOf({ sort: "p_value", q: "" })).toBe("");
  });
});

describe("answers", () => {
  it("are unpacked where they are packed, and left alone where not", async () => {
    const values = new Float32Array([1, 2.5, -3]);
    const packed = gzipSync(new Uint8Array(values.buffer));
    const buffer = packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.byteLength) as ArrayBuffer;
    expect([...new Float32Array(await unpacked(buffer))]).toEqual([...values]);
    expect(await unpacked(values.buffer)).toBe(values.buffer);
    expect((await unpacked(new ArrayBuffer(0))).byteLength).toBe(0);
  });

  it("that are problems say so in the server's words", () => {
    expect(toError(413, '{"title": "Too large", "detail": "At most 2 GB."}').message).toBe("Too large: At most 2 GB.");
    expect(toError(502, "<html>bad gateway</html>").message).toBe("The server answered 502");
    expect(toError(500, '{"title": 3}').message).toBe("The server answered 500");
  });
});

describe("keys", () => {
  it("that are typed into fields are not commands", () => {
    const field = document.createElement("input");
    field.type = "search";
    const slider = document.createElement("input");
    slider.type = "range";
    expect(isField(field, "j")).toBe(true);
    expect(isField(slider, "j")).toBe(false);
    expect(isField(slider, "ArrowRight")).toBe(true);
    expect(isField(document.createElement("button"), "Enter")).toBe(true);
    expect(isField(document.createElement("button"), "a")).toBe(false);
    expect(isField(document.body, "ArrowDown")).toBe(false);
  });
});
