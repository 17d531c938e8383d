// The table of accounts, those that need a person first, with their last days; a page of them where there are many. Pure.
import { display, grouped } from '../../../display.ts'
import type { Day } from '../../../ledger/records.ts'
import { pastPolls } from '../../../poll/account/polls.ts'
import type { AccountStatus } from '../../../status/status.ts'
import { counted } from '../../../status/words/amounts.ts'
import { timeUntil } from '../../../status/words/moment.ts'
import { DAYS_SHOWN, graph, pollMarks } from './graphs.ts'
import { html, type Html } from './html.ts'
import { agoOrNever, when } from './times.ts'
import { addressOf, type Shown } from './view.ts'

/** What the last days brought to each account. */
export type Days = ReadonlyMap<string, readonly Day[]>

export function accounts(shown: Shown, days: Days, nowMs: number): Html {
  return html`<h2 id="accounts-title">
      Accounts<small
        >squares: the last ten polls; graphs: messages of the last ${DAYS_SHOWN} days, red: failed polls</small
      >
    </h2>
    ${shown.isPart ? search(shown) : null}
    <div class="scroll" id="accounts" tabindex="0" role="region" aria-labelledby="accounts-title">
      <table>
        <thead>
          <tr>
            <th scope="col">Account</th>
            <th scope="col">State</th>
            <th scope="col">Last days</th>
            <th scope="col">Last success</th>
            <th scope="col">Last poll</th>
            <th scope="col">Next poll</th>
            <th scope="col" class="number">Waiting</th>
            <th scope="col" class="number">Refused</th>
            <th scope="col" class="number">Held</th>
          </tr>
        </thead>
        <tbody>
          ${shown.accounts.map((each) => row(each, days.get(each.account) ?? [], nowMs))}
        </tbody>
      </table>
    </div>
    ${shown.pages > 1 ? pages(shown) : null}`
}

/** It asks for the page anew, with or without a script. */
function search({ search: text, found }: Shown): Html {
  const told = found === 0 ? 'no account' : counted(found, 'account')
  return html`<form class="search" role="search" method="get">
    <label for="search">Find accounts</label>
    <input id="search" type="search" name="q" value="${text}" maxlength="200" autocomplete="off" />
    <button id="find">Find</button>
    ${
      text === ''
        ? null
        : html`<span
            >${told} with “<bdi>${display(text, 80)}</bdi>” in the name: <a id="all" href="./">show all</a></span
          >`
    }
  </form>`
}

function pages({ search: text, page, pages: last, from, accounts: onPage, found }: Shown): Html {
  const link = (to: number, id: string, words: string): Html | null =>
    to < 1 || to > last
      ? null
      : html`<a id="${id}" rel="${id}" href="${addressOf({ search: text, page: to })}">${words}</a>`
  return html`<nav class="pages" aria-label="Pages of accounts">
    ${link(page - 1, 'prev', 'Previous')}
    <span>${grouped(from + 1)} to ${grouped(from + onPage.length)} of ${grouped(found)}</span>
    ${link(page + 1, 'next', 'Next')}
  </nav>`
}

function row(status: AccountStatus, days: readonly Day[], nowMs: number): Html {
  const { account, record, unsettled } = status
  const count = (label: string, value: number): Html =>
    value === 0
      ? html`<td class="number zero quiet" data-label="${label}">0</td>`
      : html`<td class="number" data-label="${label}"><strong>${value}</strong></td>`
  return html`<tr>
    <th scope="row"><bdi>${display(account, 100)}</bdi></th>
    <td>${stateTag(status)}${record === null ? null : pollMarks(pastPolls(record))}</td>
    <td class="wide">${graph(days, nowMs)}</td>
    <td data-label="Last success">${agoOrNever(record?.lastSuccessMs ?? null, nowMs)}</td>
    <td data-label="Last poll">${agoOrNever(record?.lastPollMs ?? null, nowMs)}</td>
    <td data-label="Next poll">${nextPoll(status, nowMs)}</td>
    ${count('Waiting', unsettled.waiting)}${count('Refused', unsettled.refused)}${count('Held', unsettled.held)}
  </tr> `
}

function stateTag({ configured, disabled, outcome, planned, unsettled, pause }: AccountStatus): Html {
  if (!configured) return html`<span class="tag">${disabled ? 'disabled' : 'not configured'}</span>`
  // By a person, who knows of it: no colour.
  if (pause !== null) return html`<span class="tag">paused</span>`
  if (planned?.overdue === true) return html`<span class="tag bad">overdue</span>`
  switch (outcome) {
    case null:
      return html`<span class="tag">never polled</span>`
    case 'ok':
      return html`<span class="tag good">ok</span>`
    case 'partial':
      return html`<span class="tag doubtful">${unsettled.waiting > 0 ? 'mail waits' : 'not deleted'}</span>`
    case 'paused':
      return html`<span class="tag doubtful">paused</span>`
    case 'failed':
      return html`<span class="tag bad">failed</span>`
  }
}

function nextPoll({ planned, pausedUntilMs, pause, configured }: AccountStatus, nowMs: number): Html {
  if (!configured) return html`<span class="none">–</span>`
  if (planned?.polling === true) return html`now`
  if (pause !== null && pause.untilMs === null) return html`when resumed`
  const nextMs = pausedUntilMs ?? planned?.nextPollMs ?? null
  return nextMs === null ? html`<span class="none">–</span>` : html`${when(nextMs, `in ${timeUntil(nextMs - nowMs)}`)}`
}
