// What stands below the accounts: the destinations that are left alone, the machines at work, and the sign-ins. Pure.
import { display } from '../../../display.ts'
import type { Status } from '../../../status/status.ts'
import { type Listed, signInName, stateText, troubled } from '../../../status/sign-in-lines.ts'
import { counted } from '../../../status/words/amounts.ts'
import { timeUntil } from '../../../status/words/moment.ts'
import { html, type Html } from './html.ts'
import type { Tone } from './style.ts'
import { ago, agoOrNever, when } from './times.ts'

/** More are counted: a destination may have thousands of recipients, and each account a sign-in of its own. */
const SHOWN = 100

interface Left {
  readonly name: string
  readonly again: Html
  readonly sinceMs: number
  readonly why: string
}

/** Left alone because they take no mail, or because a person wants it. */
export function destinations({ destinations: resting, pauses, nowMs }: Status): Html | null {
  const until = (untilMs: number | null, otherwise: string): Html =>
    untilMs === null ? html`${otherwise}` : when(untilMs, untilMs <= nowMs ? 'now' : `in ${timeUntil(untilMs - nowMs)}`)
  const left: readonly Left[] = [
    ...resting
      .filter(({ isPaused }) => !isPaused)
      .map(({ destination, untilMs, sinceMs, error }) => ({
        name: destination,
        again: until(untilMs, 'when somebody signs in'),
        sinceMs,
        why: error.message,
      })),
    ...pauses
      .filter(({ kind }) => kind === 'destination')
      .map(({ name, by, sinceMs, untilMs }) => ({
        name,
        again: until(untilMs, 'when resumed'),
        sinceMs,
        why: `paused by ${by}`,
      })),
  ]
  if (left.length === 0) return null
  const more = left.length - SHOWN
  return html`<h2 id="destinations-title">Paused destinations</h2>
    <div class="scroll" id="destinations" tabindex="0" role="region" aria-labelledby="destinations-title">
      <table>
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col">Tried again</th>
            <th scope="col">Since</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          ${left.slice(0, SHOWN).map(
            ({ name, again, sinceMs, why }) =>
              html`<tr>
                <th scope="row"><bdi>${display(name, 200)}</bdi></th>
                <td data-label="Tried again">${again}</td>
                <td data-label="Since">${ago(sinceMs, nowMs)}</td>
                <td class="wide"><bdi>${display(why, 1000)}</bdi></td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
    ${more > 0 ? others(more) : null}`
}

/** One machine stands at the top of the page. */
export function machines({ machines: all, nowMs }: Status): Html | null {
  if (all.length < 2) return null
  return html`<h2 id="machines-title">Machines</h2>
    <div class="scroll" id="machines" tabindex="0" role="region" aria-labelledby="machines-title">
      <table>
        <thead>
          <tr>
            <th scope="col">Machine</th>
            <th scope="col">Since</th>
            <th scope="col">Last seen</th>
            <th scope="col" class="number">Accounts</th>
            <th scope="col">Version</th>
          </tr>
        </thead>
        <tbody>
          ${all.map(
            ({ machine, sinceMs, lastSeenMs, accounts: count, version }) =>
              html`<tr>
                <th scope="row"><bdi>${machine}</bdi></th>
                <td data-label="Since">${agoOrNever(sinceMs, nowMs)}</td>
                <td data-label="Last seen">${ago(lastSeenMs, nowMs)}</td>
                <td class="number" data-label="Accounts">${count}</td>
                <td data-label="Version">${version ?? 'unknown'}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>`
}

export function signIns({ signIns: listed }: Status): Html | null {
  if (listed.length === 0) return null
  const more = listed.length - SHOWN
  const ordered = more > 0 ? [...new Set([...troubled(listed), ...listed])] : listed
  const tone = ({ state }: Listed): Tone =>
    state instanceof Error || state.state === 'ended' ? 'bad' : state.state === 'ends-soon' ? 'doubtful' : 'good'
  return html`<h2>Sign-ins</h2>
    <ul class="list">
      ${ordered.slice(0, SHOWN).map(
        (each) =>
          html`<li class="need ${tone(each)}">
            <div>
              <h3><bdi>${display(signInName(each), 300)}</bdi></h3>
              <p><bdi>${display(stateText(each), 600)}</bdi></p>
            </div>
          </li>`,
      )}
    </ul>
    ${more > 0 ? others(more) : null}`
}

function others(count: number): Html {
  return html`<p class="quiet">and ${counted(count, 'other')}: <code>popfetch status --json</code></p>`
}
