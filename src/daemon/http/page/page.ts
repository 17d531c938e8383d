// The page of the daemon: is all well? Then what needs a person, each with the reason and the command. Then every
// account with its last days. Then what did not come, what is left alone, and who signs in. Made from status/status.ts alone.
// One rule: nothing that a stranger wrote becomes markup, or moves other text. html.ts escapes it; display() removes invisible
// characters and those that reorder text.
import { createHash } from 'node:crypto'
import { display, grouped } from '../../../display.ts'
import { namesText } from '../../../status/attention.ts'
import type { Attention, Status } from '../../../status/status.ts'
import { counted } from '../../../status/words/amounts.ts'
import { span, stamp } from '../../../status/words/moment.ts'
import { accounts, type Days } from './accounts.ts'
import { Html, html, type Part } from './html.ts'
import { SCRIPT } from './script.ts'
import { STYLE, type Tone } from './style.ts'
import { destinations, machines, signIns } from './surroundings.ts'
import { ago, when } from './times.ts'
import type { Shown } from './view.ts'

/** More things that need a person are counted. */
const NEEDS_SHOWN = 50
/** More messages are counted; `popfetch state list` has all. */
const MESSAGES_SHOWN = 100
/** Without a script the page is renewed so often. */
const RENEWED_S = 60

export interface About {
  readonly version: string
  readonly machine: string
}

/** `shown`: the accounts that somebody looks at; `days`: theirs. */
export function page(status: Status, shown: Shown, days: Days, about: About): string {
  const tone = toneOf(status)
  const main = html`<main id="main">
      ${glance(status, tone)} ${needs(status)}
      ${status.accounts.length === 0 ? null : accounts(shown, days, status.nowMs)} ${messages(status)}
      ${destinations(status)} ${machines(status)} ${signIns(status)}
      <footer>
        <span>as of ${when(status.nowMs, stamp(status.nowMs))}</span><a id="json" href="status.json">status.json</a
        ><a id="metrics" href="metrics">metrics</a>
      </footer>
    </main>
    <p id="stale" role="status" hidden>popfetch does not answer: this page may be out of date.</p>
    ${trusted('script', SCRIPT)}`
  return document(`${headline(status, tone)} · popfetch`, tone, about, main)
}

/** Asks for the token. `wrong`: a token was given, and it was wrong. */
export function signInPage(about: About, wrong: boolean): string {
  const main = html`<main id="main">
    <h1>Sign in</h1>
    <p class="quiet">With the token in <code>daemon.httpToken</code> of the configuration.</p>
    <form method="post" action="sign-in">
      ${wrong ? html`<p class="tag bad" id="wrong" role="alert">That is not the token.</p>` : null}
      <label
        >Token<input id="token" type="password" name="token" autocomplete="current-password" required maxlength="1000"
      /></label>
      <button id="go">Sign in</button>
    </form>
  </main>`
  return document('Sign in · popfetch', 'good', about, main)
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Exactly our own style and script, requests to where the page came from, and a picture in the page itself. A form, where there is
 *  one, leads to where the page came from. */
export function pagePolicy(of: 'page' | 'page with search' | 'sign-in'): string {
  return [
    "default-src 'none'",
    `style-src ${hashOf(STYLE)}`,
    `script-src ${of === 'sign-in' ? "'none'" : hashOf(SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    `form-action ${of === 'page' ? "'none'" : "'self'"}`,
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Our own text, whose hash the policy has: it must be there as it is. */
function trusted(tag: 'style' | 'script', text: string): Html {
  return new Html(`<${tag}>${text}</${tag}>`)
}

const COLOURS: Readonly<Record<Tone, string>> = { good: '2da44e', doubtful: 'bf8700', bad: 'cf222e' }

function document(title: string, tone: Tone, { version, machine }: About, body: Html): string {
  const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='%23${COLOURS[tone]}'/></svg>`
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <link rel="icon" href="${icon}" />
        <noscript><meta http-equiv="refresh" content="${RENEWED_S}" /></noscript>
        ${trusted('style', STYLE)}
      </head>
      <body>
        <div class="page">
          <a class="skip" id="skip" href="#main">To the contents</a>
          <header class="top"><strong>popfetch</strong><span>${display(machine, 80)} · ${version}</span></header>
          ${body}
        </div>
      </body>
    </html> `.text
}

function toneOf({ attention }: Status): Tone {
  if (attention.some(({ weight }) => weight === 'bad')) return 'bad'
  return attention.length > 0 ? 'doubtful' : 'good'
}

function headline({ attention, accounts: all }: Status, tone: Tone): string {
  if (tone === 'good') return all.length === 0 ? 'No account yet' : 'All is well'
  if (isOnlyPaused(attention)) return `All is well, ${attention.flatMap(({ names }) => names).length} paused`
  return attention.length === 1 ? '1 thing needs attention' : `${attention.length} things need attention`
}

/** What a person paused needs nobody, and is not to be forgotten. */
function isOnlyPaused(attention: readonly Attention[]): boolean {
  return attention.every(({ kind }) => kind === 'paused')
}

const SIGNS: Readonly<Record<Tone, string>> = {
  good: 'M10 17l4.5 4.5L23 12',
  doubtful: 'M16 9v8M16 21.5v.5',
  bad: 'M11 11l10 10M21 11L11 21',
}
const PAUSE_SIGN = 'M12.5 11v10M19.5 11v10'

function glance(status: Status, tone: Tone): Html {
  const { accounts: all, daemon, nowMs } = status
  const configured = all.filter((each) => each.configured)
  const well = configured.filter(({ outcome }) => outcome === 'ok').length
  const latest = Math.max(0, ...configured.map(({ record }) => record?.lastPollMs ?? 0))
  const facts = [
    `${grouped(well)} of ${counted(configured.length, 'account')} fine`,
    latest === 0 ? null : html`last poll ${ago(latest, nowMs)}`,
    daemon.sinceMs === null ? null : html`daemon running for ${when(daemon.sinceMs, span(nowMs - daemon.sinceMs))}`,
  ].filter((fact) => fact !== null)
  return html`<div class="glance ${tone}">
    <svg
      class="sign-${tone}"
      viewBox="0 0 32 32"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      stroke-width="2.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      <circle cx="16" cy="16" r="13.5"></circle>
      <path d="${tone !== 'good' && isOnlyPaused(status.attention) ? PAUSE_SIGN : SIGNS[tone]}"></path>
    </svg>
    <div>
      <h1>${headline(status, tone)}</h1>
      <p>${facts.flatMap((fact, at) => (at === 0 ? [fact] : [' · ', fact]))}</p>
    </div>
  </div>`
}

function needs({ attention, nowMs }: Status): Html | null {
  if (attention.length === 0) return null
  const more = attention.length - NEEDS_SHOWN
  return html`<h2>${isOnlyPaused(attention) ? 'Paused' : 'Needs attention'}</h2>
    <ul class="list">
      ${attention.slice(0, NEEDS_SHOWN).map((each) => need(each, nowMs))}
    </ul>
    ${more > 0 ? html`<p class="quiet">and ${counted(more, 'other')}: <code>popfetch status</code></p>` : null}`
}

function need({ weight, names, reason, sinceMs, next }: Attention, nowMs: number): Html {
  const since = sinceMs === null ? null : html`<span class="since">for ${when(sinceMs, span(nowMs - sinceMs))}</span>`
  return html`<li class="need ${weight}">
    <div>
      <h3><bdi>${display(namesText(names), 300)}</bdi> ${since}</h3>
      <p><bdi>${display(reason, 1200)}</bdi></p>
    </div>
    <p class="next">Next: <code>${command(next)}</code></p>
  </li>`
}

/** A line may end before an option, not within its hyphens. */
function command(line: string): readonly Part[] {
  return line
    .split(' ')
    .flatMap((word, at) => [at === 0 ? '' : ' ', word.startsWith('--') ? html`<span>${word}</span>` : word])
}

/** First what waits for a person. */
const MESSAGE_ORDER = ['refused', 'held', 'waiting']
const MESSAGE_TONES = { waiting: 'doubtful', refused: 'bad', held: 'bad' } as const

function messages({ accounts: all, nowMs }: Status): Html | null {
  const known = all
    .flatMap(({ account, messages: found }) => found.map((message) => ({ account, message })))
    .toSorted((a, b) => MESSAGE_ORDER.indexOf(a.message.state) - MESSAGE_ORDER.indexOf(b.message.state))
  if (known.length === 0) return null
  const shown = known.slice(0, MESSAGES_SHOWN)
  const stand = all.reduce((sum, { unsettled: { waiting, refused, held } }) => sum + waiting + refused + held, 0)
  const more = stand - shown.length
  return html`<h2 id="messages-title">
      Messages that have not come<small>to retry refused and held ones: <code>popfetch state retry</code></small>
    </h2>
    <div class="scroll" id="messages" tabindex="0" role="region" aria-labelledby="messages-title">
      <table>
        <thead>
          <tr>
            <th scope="col">Account</th>
            <th scope="col">State</th>
            <th scope="col">Message</th>
            <th scope="col">Why</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            ({ account, message: { state, name, from, subject, reason, sinceMs } }) =>
              html`<tr>
                <th scope="row"><bdi>${display(account, 100)}</bdi></th>
                <td><span class="tag ${MESSAGE_TONES[state]}">${state}</span></td>
                <td class="wide">
                  <bdi>${subject === null ? display(name, 80) : display(subject, 120)}</bdi
                  >${from === null ? null : html`<br /><span class="quiet">from <bdi>${display(from, 100)}</bdi></span>`}
                </td>
                <td class="wide"><bdi>${display(reason, 400)}</bdi></td>
                <td data-label="Since">${ago(sinceMs, nowMs)}</td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
    ${more > 0 ? html`<p class="quiet">and ${counted(more, 'other')}: <code>popfetch state list ACCOUNT</code></p>` : null}`
}
