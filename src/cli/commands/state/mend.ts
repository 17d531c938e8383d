// `popfetch state check|repair|upgrade`: looks a ledger through for damage, saves what can be read of a damaged one, and takes away
// what no version needs any more.
import type { Outline } from '../../../config/outline.ts'
import { display } from '../../../display.ts'
import type { Loss, Repaired } from '../../../ledger/sqlite/mend/repair.ts'
import { EXIT_IO, EXIT_OK } from '../../../status/exit.ts'
import { counted } from '../../../status/words/amounts.ts'
import { printedUidl } from '../../../status/words/uidl.ts'
import type { CommonOptions } from '../../common-options.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Resolves to 74 where it is damaged. */
export async function check(
  { json }: Pick<CommonOptions, 'json'>,
  outline: Outline,
  surroundings: Surroundings,
): Promise<number> {
  const { statePath, postgres } = outline
  const { output } = surroundings
  if (postgres !== null) return await (await import('./database.ts')).checkDatabase({ json }, outline, surroundings)
  const { checkLedger, copiesBeside } = await import('../../../ledger/sqlite/mend/repair.ts')
  const { place, accounts, messages, faults } = await checkLedger(statePath)
  const isSound = faults.length === 0
  if (json) output.object({ ok: isSound, ledger: place, accounts, messages, faults })
  else if (isSound)
    output.answer(`the ledger ${place} is sound: ${counted(messages, 'message')} of ${counted(accounts, 'account')}`)
  else {
    for (const fault of faults) output.answer(fault)
    output.answer(
      `the ledger ${place} is damaged: popfetch stop, then popfetch state repair saves what can be read${orCopy(await copiesBeside(place))}`,
    )
  }
  return isSound ? EXIT_OK : EXIT_IO
}

/** Rejects with ERR_LEDGER where nothing can be saved. */
export async function repair(
  { json }: Pick<CommonOptions, 'json'>,
  { statePath, postgres }: Outline,
  { output }: Surroundings,
): Promise<number> {
  if (postgres !== null) (await import('./database.ts')).refuseForDatabase('repair', postgres)
  const { repairLedger, copiesBeside } = await import('../../../ledger/sqlite/mend/repair.ts')
  const repaired = await repairLedger(statePath)
  if (repaired === null) {
    if (json) output.object({ ok: true, repaired: false })
    else output.answer('the ledger is sound: nothing to repair')
    return EXIT_OK
  }
  if (json) output.object({ ok: true, repaired: true, ...jsonOf(repaired) })
  else for (const line of repairedLines(repaired, await copiesBeside(repaired.place))) output.answer(line)
  return EXIT_OK
}

/** Rejects with ERR_BUSY while a popfetch is at work and something is to be taken away. */
export async function upgrade(
  { json }: Pick<CommonOptions, 'json'>,
  outline: Outline,
  surroundings: Surroundings,
): Promise<number> {
  const { statePath, postgres } = outline
  const { output } = surroundings
  if (postgres !== null) return await (await import('./database.ts')).upgradeDatabase({ json }, outline, surroundings)
  const { upgradeLedger } = await import('../../../ledger/sqlite/mend/upgrade.ts')
  const { place, kept, steps, oldest } = await upgradeLedger(statePath)
  if (json) output.object({ ok: true, ledger: place, schema: steps, upgraded: kept !== null, kept })
  else if (kept === null)
    output.answer(
      `the ledger ${place} needs no upgrade: it has schema ${steps}${oldest < steps ? `, and versions that know schema ${oldest} can use it` : ''}`,
    )
  else output.answer(`the ledger ${place} was upgraded; older versions can only use the copy from before, ${kept}`)
  return EXIT_OK
}

function jsonOf({ place, kept, accounts, messages, broken, losses, asking, nameless }: Repaired): object {
  return {
    ledger: place,
    kept,
    accounts,
    messages,
    broken,
    missing: losses.map(({ account, messages: count, uidls }) => ({
      account,
      messages: count,
      uidls: uidls.map(printedUidl),
    })),
    asking,
    nameless,
  }
}

export function repairedLines(repaired: Repaired, copies: readonly string[]): readonly string[] {
  const { place, kept, accounts, messages, broken, losses, asking, nameless } = repaired
  const unread = broken === 0 ? '' : `; ${counted(broken, 'row')} could not be read`
  return [
    `the ledger ${place} was repaired: ${counted(messages, 'message')} of ${counted(accounts, 'account')} are known${unread}; the damaged file is ${kept}`,
    ...losses.map(lossLine),
    ...nameless.map(
      (name) =>
        `the name of an account is lost; its messages are known as ${name}: popfetch state rename ${name} NAME, when you know whose they are`,
    ),
    ...(asking.length === 0
      ? []
      : [
          `the next poll of ${asking.map((name) => display(name)).join(', ')} looks for what is missing in Maildirs, mboxes and IMAP folders, and asks before it sends to a server or command`,
        ]),
    'messages count as first seen now: what an age deletes stays that much longer',
    ...(copies.length > 0 && losses.length > 0 ? [`older, but whole${orCopy(copies)}`.replace(', or', ':')] : []),
  ]
}

function lossLine({ account, messages, uidls }: Loss): string {
  const named = uidls.length === 0 ? '' : `, with the UIDLs ${uidls.map((uidl) => printedUidl(uidl)).join(', ')}`
  const more = uidls.length > 0 && messages > uidls.length ? ' and others' : ''
  return `${display(account)}: ${counted(messages, 'message')} missing${named}${more}`
}

function orCopy([newest]: readonly string[]): string {
  return newest === undefined ? '' : `, or popfetch state restore ${newest} goes back to its last daily copy`
}
