/** Whether scores still behave as calibration promised. */

import { useEffect } from "preact/hooks";
import { api } from "../api/client";
import type { Drift, DriftAlarm, DriftStream } from "../api/types";
import { Capital, PValues, windowsTable } from "../charts/drift";
import { Icon } from "../parts/icon";
import { useLoaded } from "../parts/loaded";
import { Empty, Failure, Waiting } from "../parts/states";
import { go, query } from "../routing";
import { loadScreeners, screeners } from "../state/screeners";
import { fail } from "../state/toasts";
import { figure, plural, when } from "../words";

const CHECKS: Record<string, string> = {
  bet: "Taken together, the p-values are no longer spread as those of healthy scans",
  windows: "In one window, too many or too few p-values were low",
  crowd: "More scans are unusual than can be abnormal",
  unfit: "More scans are unfit to be judged than before",
};

/** Checks that tell where scores went; the others tell of too many scans. */
const DIRECTED = new Set(["bet", "windows"]);

export function DriftPage() {
  useEffect(() => {
    if (screeners.value.length === 0) loadScreeners().catch(fail);
  }, []);
  const chosen = query.value.get("screener") ?? screeners.value.find((one) => one.default)?.id ?? screeners.value[0]?.id;
  const drift = useLoaded(
    (signal) => (chosen ? api<Drift>(`/drift?screener=${chosen}`, { signal }) : Promise.resolve(null)),
    [chosen],
  );
  return (
    <div class="view narrow">
      <header class="view-head">
        <h1>Drift</h1>
        {screeners.value.length > 1 && (
          <select aria-label="Screener" value={chosen} onChange={(event) => go(`/drift?screener=${event.currentTarget.value}`, { replace: true })}>
            {screeners.value.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
        )}
      </header>
      <p class="intro">
        P-values of healthy scans are spread evenly from 0 to 1, as long as scans are taken as they were at calibration. Another
        scanner, another protocol or another kind of patient shows here before it shows in verdicts.
      </p>
      {drift.error && <Failure error={drift.error} retry={drift.again} />}
      {!drift.value && !drift.error && <Waiting what="the stream" />}
      {drift.value && <Told drift={drift.value} />}
    </div>
  );
}

function Told({ drift }: { drift: Drift }) {
  const streams = drift.streams.filter((stream) => stream.p_values.length > 0);
  if (streams.length === 0) return <Empty title="No findings yet" />;
  return (
    <>
      <div class={drift.recalibration_due ? "answer alarm" : "answer"}>
        <Icon name={drift.recalibration_due ? "warning" : "check"} size={24} />
        <p>
          <b>{drift.recalibration_due ? "Recalibration is due." : "As calibration promised."}</b>{" "}
          {plural(drift.findings, "finding")} looked at{drift.unfit > 0 && `, ${drift.unfit} unfit`}
          {drift.unreadable > 0 && `, ${drift.unreadable} unreadable`}. If nothing has changed, the chance of any alarm is at most{" "}
          {figure(100 * drift.risk)}&nbsp;%.
        </p>
      </div>
      {drift.unfit_alarm && <Alarm alarm={drift.unfit_alarm} />}
      {streams.map((stream) => (
        <Stream key={stream.name} stream={stream} window={drift.window} />
      ))}
    </>
  );
}

const VOLUMES = "volumes";
const FEW = 30;

function title(name: string): string {
  return name === "all" ? "All scans" : name.charAt(0).toUpperCase() + name.slice(1);
}

function Stream({ stream, window }: { stream: DriftStream; window: number }) {
  const rows = windowsTable(stream);
  return (
    <section class="panel" aria-label={stream.name}>
      <h2>
        {title(stream.name)} <small>{plural(stream.scans, stream.name === VOLUMES ? "volume" : "scan")}</small>
      </h2>
      {stream.alarms.map((alarm, place) => (
        <Alarm key={place} alarm={alarm} />
      ))}
      {stream.calibration !== null && stream.calibration < FEW && (
        <p class="hint">
          Calibrated on {plural(stream.calibration, "healthy scan or patient", "healthy scans or patients")} only: so few that just gross changes
          can be told from chance.
        </p>
      )}
      <PValues stream={stream} />
      <Capital stream={stream} />
      {rows.length === 0 ? (
        <p class="hint">The check window by window begins with {window} scans.</p>
      ) : (
        <details>
          <summary>{plural(rows.length, "window")}</summary>
          <div class="scroll" tabIndex={0} role="region" aria-label="Windows">
            <table>
              <thead>
                <tr>
                  <th scope="col">Scans</th>
                  <th scope="col">Low p-values</th>
                  <th scope="col">Expected (may be)</th>
                  <th scope="col">Verdict</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row, place) => (
                  <tr key={place}>
                    {row.map((cell, column) => (
                      <td key={column}>{cell}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </section>
  );
}

function Alarm({ alarm }: { alarm: DriftAlarm }) {
  return (
    <p class="alarm-line">
      <Icon name="warning" size={16} /> {CHECKS[alarm.check] ?? alarm.check}
      {DIRECTED.has(alarm.check) && `; scores run ${alarm.direction}`}. Told at{" "}
      <a href={`/findings/${alarm.at}`}>{when(alarm.at_time)}</a>, perhaps since {when(alarm.since_time)}.
    </p>
  );
}
