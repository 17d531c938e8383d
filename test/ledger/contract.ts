// The ledger's contract as tests: every way to keep a ledger passes them. What a kind does besides (files and their modes,
// migrations, what the other side of a wire may do) it tests itself.
import { describe } from 'vitest'
import { accounts } from './contract/accounts.ts'
import { comparisons } from './contract/comparisons.ts'
import { days } from './contract/days.ts'
import { destinations } from './contract/destinations.ts'
import { durability } from './contract/durability.ts'
import { forgetting } from './contract/forgetting.ts'
import { leases } from './contract/leases.ts'
import { machines } from './contract/machines.ts'
import { mending } from './contract/mending.ts'
import { messages } from './contract/messages.ts'
import { model } from './contract/model.ts'
import { outstanding } from './contract/outstanding.ts'
import { pauses } from './contract/pauses.ts'
import { records } from './contract/records.ts'
import { scheduling } from './contract/scheduling.ts'
import { settled } from './contract/settled.ts'
import { together } from './contract/together.ts'
import type { Kind } from './kind.ts'

export function contract(kind: Kind): void {
  describe(`${kind.name}: accounts`, () => accounts(kind))
  describe(`${kind.name}: leases`, () => leases(kind))
  describe(`${kind.name}: messages`, () => messages(kind))
  describe(`${kind.name}: settled and begun together`, () => together(kind))
  describe(`${kind.name}: comparisons`, () => comparisons(kind))
  describe(`${kind.name}: settled messages`, () => settled(kind))
  describe(`${kind.name}: forgetting what is gone`, () => forgetting(kind))
  describe(`${kind.name}: records`, () => records(kind))
  describe(`${kind.name}: mending`, () => mending(kind))
  describe(`${kind.name}: destinations`, () => destinations(kind))
  describe(`${kind.name}: what is outstanding`, () => outstanding(kind))
  describe(`${kind.name}: machines`, () => machines(kind))
  describe(`${kind.name}: pauses`, () => pauses(kind))
  describe(`${kind.name}: days and memos`, () => days(kind))
  describe(`${kind.name}: schedulers`, () => scheduling(kind))
  describe(`${kind.name}: any sequence of calls`, () => model(kind))
  describe(`${kind.name}: a process that dies`, () => durability(kind))
}
