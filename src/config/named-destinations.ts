// The destinations of a configuration by name: those under `destinations`, and those written in place in `deliver`, as a
// mapping or a URL. The latter are named by their canonical URL. Which keys they have is destinations/.
// The one rule: every method adds what is wrong to the list it is given, and goes on.
import { display } from '../display.ts'
import { destinationConflicts, kindOf, parseDestinationUrl } from './destinations/destinations.ts'
import { destination } from './destinations/schemas/destination.ts'
import { nearest } from './values/nearest.ts'
import { blurs, filledAddress, leavesDomainOut, namesMailbox } from '../deliver/placeholders.ts'
import { conflictProblems, foundText, issueProblems, mismatchText, pathText, PROBLEMS_SHOWN, wrong } from './problem.ts'
import type { DefinedDestination } from '../deliver/own/definition.ts'
import { plain } from './destinations/kind.ts'
import { isUrl } from './destinations/url.ts'
import { filled, missingText, withoutValues } from './sources/environment.ts'
import { placeIn, type Source } from './sources/source.ts'
import { sameConfiguration } from './values/secret.ts'
import { WITHOUT_COMPILING } from './values/values.ts'
import { type RecipientRule, sampleOf } from './recipient.ts'
import { FIRST_OF, isWritten } from './values/written.ts'
import type { Group, Member } from './route.ts'
import type { DestinationConfig, DestinationKeys } from './destinations/destinations.ts'
import type { Path, Problem } from './problem.ts'
import type { Environment } from './paths.ts'

const NAMES_SHOWN = 20

/** The account that a destination is for. */
export interface Owner {
  readonly name: string
  readonly recipient: RecipientRule | null
}

/** Whom to ask about what stands somewhere. */
interface Where {
  readonly path: Path
  /** In which `path` is. */
  readonly source: Source
  readonly problems: Problem[]
}

export class NamedDestinations {
  readonly #env: Environment
  readonly #byName = new Map<string, DestinationConfig>()
  /** All names under `destinations`, those of wrong destinations too: to name a wrong one is no second problem. */
  readonly #names = new Map<string, { readonly source: Source; readonly path: Path } | null>()
  /** Why nothing can be delivered there, though the configuration as a whole holds. */
  readonly #faults = new Map<string, string>()
  #hints = 0

  constructor(env: Environment) {
    this.#env = env
  }

  get byName(): ReadonlyMap<string, DestinationConfig> {
    return this.#byName
  }

  /** One of `destinations`. */
  configure(name: string, written: unknown, source: Source, problems: Problem[]): void {
    const path = ['destinations', name]
    const found: Problem[] = []
    if (!this.#call(name, { source, path, problems: found })) {
      problems.push(...found)
      return
    }
    const whole = filled(written, path, this.#env)
    const [missing] = whole.missing
    if (missing !== undefined) {
      this.#faults.set(name, `${placeIn(source, missing.path)}: ${pathText(missing.path)}: ${missingText(missing)}`)
      problems.push(...found)
      return
    }
    const parsed = destination(source.resolve).safeParse(whole.value, WITHOUT_COMPILING)
    if (!parsed.success) found.push(...issueProblems(parsed.error.issues, whole.value, path))
    if (isWritten(whole.value)) found.push(...conflictProblems(destinationConflicts(whole.value), whole.value, path))
    const told = withoutValues(found, whole)
    const [first] = told
    if (first !== undefined && source.leavesOut) {
      this.#faults.set(name, `${placeIn(source, first.path)}: ${pathText(first.path)}: ${mismatchText(first)}`)
      return
    }
    if (parsed.success) this.#byName.set(name, { ...parsed.data, name })
    problems.push(...told)
  }

  /** One that an embedding program made. */
  add(name: string, defined: DefinedDestination, source: Source, problems: Problem[]): void {
    this.#call(name, { source, path: ['destinations', name], problems })
    this.#byName.set(name, { type: 'own', name, defined, concurrency: defined.concurrency })
  }

  /** Why nothing can be delivered to a destination, or to a group with it; null: nothing is known against it. */
  faultOf(name: string): string | null {
    const config = this.#byName.get(name)
    if (config?.type === FIRST_OF)
      return config.of.map((member) => this.faultOf(member)).find((fault) => fault !== null) ?? null
    const fault = this.#faults.get(name)
    return fault === undefined ? null : `destination ${name}: ${fault}`
  }

  /** Those of which there is a fault. */
  get faulty(): ReadonlyMap<string, string> {
    return this.#faults
  }

  /** False: the name is another one's. */
  #call(name: string, where: Where): boolean {
    const { source, path, problems } = where
    const before = this.#names.get(name)
    if (before) {
      problems.push({ path, at: 'key', ...twiceNamed(before.source, before.path) })
      return false
    }
    this.#names.set(name, { source, path })
    if (/^[A-Za-z0-9._-]{1,100}$/.test(name)) return true
    const found = `the name ${foundText(name, [])}`
    problems.push({ path, at: 'key', found, expected: 'a name of letters, digits, ".", "_" and "-"' })
    return true
  }

  /** The names of the destinations at `path` in a `deliver`, which are given as parsed and as written. */
  findAll(destinations: readonly (Member | Group)[], written: unknown, where: Where): readonly string[] {
    const { path, problems } = where
    const names = new Set<string>()
    for (const [index, target] of destinations.entries()) {
      const [at, one] = Array.isArray(written) ? [[...path, index], written[index]] : [path, written]
      const found = this.#find(target, one, { ...where, path: at })
      if (found === null) continue
      if (names.has(found)) problems.push(twice(at, found))
      names.add(found)
    }
    return [...names]
  }

  /** The name of the destination at `path`; null: there is a problem. */
  #find(target: Member | Group, written: unknown, where: Where): string | null {
    return typeof target !== 'string' && FIRST_OF in target
      ? this.#findGroup(target, written, where)
      : this.#findOne(target, written, where)
  }

  #findGroup({ [FIRST_OF]: members }: Group, written: unknown, where: Where): string | null {
    const { path, problems } = where
    const list = isWritten(written) ? written[FIRST_OF] : null
    const of = new Set<string>()
    for (const [index, member] of members.entries()) {
      const at = [...path, FIRST_OF, index]
      const found = this.#findOne(member, Array.isArray(list) ? list[index] : null, { ...where, path: at })
      if (found === null) continue
      if (of.has(found)) problems.push(twice(at, found))
      // One recipient might take a message that another refuses: then nobody could say whether the next member is due.
      else if (this.#recipients(found) > 1) {
        problems.push(wrong(at, found, 'a destination with one recipient'))
      } else of.add(found)
    }
    if (of.size < members.length) return null
    const name = `${FIRST_OF}: ${[...of].join(', ')}`
    this.#byName.set(name, { type: FIRST_OF, name, of: [...of] })
    return name
  }

  #findOne(target: Member, written: unknown, where: Where): string | null {
    const { path, problems } = where
    if (typeof target !== 'string') {
      const conflicts = isWritten(written) ? conflictProblems(destinationConflicts(written), written, path) : []
      problems.push(...conflicts)
      return conflicts.length === 0 ? this.#addInPlace(target, path, problems) : null
    }
    if (this.#names.has(target)) return target
    if (isUrl(target)) return this.#fromUrl(target, where)
    problems.push(wrong(path, target, `the name of a destination or a URL: ${this.#hint(target)}`))
    return null
  }

  #recipients(name: string): number {
    const config = this.#byName.get(name)
    return config === undefined || config.type === FIRST_OF ? 1 : (kindOf(config).recipients(config)?.length ?? 1)
  }

  /** With the account's name and mailbox filled in, an address of the destination must still be an address. */
  checkAccount(account: Owner, destinationName: string, problems: Problem[]): void {
    const config = this.#byName.get(destinationName)
    if (config === undefined) return
    if (config.type === FIRST_OF) {
      for (const member of config.of) this.checkAccount(account, member, problems)
      return
    }
    const kind = kindOf(config)
    for (const text of kind.accountTexts(config)) {
      // What has no placeholder is the same for all, and was looked at where it stands.
      if (!text.includes('{')) continue
      const fault = faultOf(text, account, kind.accepts === plain.accepts ? null : (filled) => kind.accepts(filled))
      if (fault === null) continue
      problems.push({ path: ['accounts', account.name], at: 'key', ...fault })
      return
    }
  }

  #hint(target: string): string {
    if (/^[~./]/.test(target)) return 'for a Maildir write maildir:PATH'
    // To find what was meant, all names are looked through.
    this.#hints += 1
    const near = this.#hints > PROBLEMS_SHOWN ? null : nearest(target, this.#names.keys())
    if (near !== null) return `did you mean ${near}?`
    if (this.#names.size === 0) return 'none has a name'
    const more = this.#names.size > NAMES_SHOWN ? ' and others' : ''
    return `the names are ${this.#names.keys().take(NAMES_SHOWN).toArray().join(', ')}${more}`
  }

  #fromUrl(text: string, { path, source, problems }: Where): string | null {
    const url = parseDestinationUrl(text)
    if (url.kind === 'wrong') {
      problems.push(wrong(path, text, url.expected))
      return null
    }
    const { written } = url
    const parsed = destination(source.resolve).safeParse(written, WITHOUT_COMPILING)
    const within = parsed.success ? [] : issueProblems(parsed.error.issues, written, [])
    const faults = [...within, ...conflictProblems(destinationConflicts(written), written, [])]
    for (const { path: inner, expected } of faults) {
      const elsewhere = inner[0] === 'user' ? ': write this destination under destinations, with a name' : ''
      problems.push(wrong(path, text, `as its ${pathText(inner)} ${expected}${elsewhere}`))
    }
    return parsed.success && faults.length === 0 ? this.#addInPlace(parsed.data, path, problems) : null
  }

  #addInPlace(keys: DestinationKeys, path: Path, problems: Problem[]): string | null {
    const config: DestinationConfig = { ...keys, name: kindOf(keys).canonicalUrl(keys) }
    const same = this.#byName.get(config.name)
    if (same !== undefined && !sameConfiguration(same, config)) {
      const found = `a second "${display(config.name)}" with other keys`
      problems.push({ path, at: 'value', found, expected: 'both under destinations, each with a name' })
      return null
    }
    this.#byName.set(config.name, config)
    return config.name
  }
}

/** A name that another part has, in words. */
export function twiceNamed(source: Source, path: Path): { readonly found: string; readonly expected: string } {
  const place = placeIn(source, path)
  return { found: 'the same name again', expected: `each name once${place === '' ? '' : `: ${place} has it as well`}` }
}

function twice(path: Path, name: string): Problem {
  return { path, at: 'value', found: `"${display(name)}" again`, expected: 'every destination once' }
}

/** What is wrong with one text of a destination for this account; null: nothing. */
function faultOf(
  text: string,
  { name, recipient }: Owner,
  accepts: ((filled: string) => boolean) | null,
): { readonly found: string; readonly expected: string } | null {
  const shown = foundText(text, [])
  if (namesMailbox(text) && recipient === null) {
    return {
      found: `${shown} in a destination, and no recipient`,
      expected: 'a recipient, which says whose mail it is',
    }
  }
  if (recipient?.kind === 'header' && recipient.domains.length > 1 && leavesDomainOut(text)) {
    return {
      found: `${shown} in a destination, and several domains`,
      expected: '{domain} or {recipient} in it as well',
    }
  }
  if (recipient?.kind === 'header' && blurs(text, recipient.domains)) {
    return {
      found: `${shown}, which may be the same for addresses in different domains`,
      expected: 'a sign between {local} and {domain} that neither of them has, such as / or =',
    }
  }
  if (accepts === null) return null
  const filled = filledAddress(text, { account: name, mailbox: recipient === null ? null : sampleOf(recipient) })
  if (accepts(filled)) return null
  return {
    found: `an account's name that makes ${foundText(filled, [])} of ${shown}`,
    expected: 'one that makes a mail address',
  }
}
