// The configuration in effect by the keys of the file, with all defaults: what `config show` prints.
// The one rule: no secret. Text is masked; of a command only the first word is shown, because others may hold a secret.
import { FIRST_OF } from './values/written.ts'
import { formatDuration, formatSize } from './values/quantity.ts'
import { proxyText } from './values/proxy.ts'
import { recipientKeys } from './recipient.ts'
import { kindOf } from './destinations/destinations.ts'
import { placeText, pollText } from './daemon/daemon.ts'
import { shownNotifier } from './daemon/notify.ts'
import { shownClient } from './oauth/client.ts'
import { commandName, sourceKeys } from './values/secret.ts'
import { pinKeys } from './values/values.ts'
import { type Account, type Configuration, type FirstPolicy, sinceText, type When } from './schema.ts'
import { USUAL_STATE } from './state/keys.ts'
import { postgresUrl, SCHEMA } from './state/postgres.ts'
import type { Written } from './values/written.ts'

export function asWritten(configuration: Configuration): Written {
  const {
    accounts: polled,
    disabled,
    destinations,
    oauth,
    include,
    accountsFrom,
    concurrency,
    perHost,
    daemon,
    notify,
    log,
  } = configuration
  // Of a faulty one nothing is known but its name.
  const accounts = [...polled.filter(({ fault }) => fault === null), ...disabled]
  return {
    accounts: Object.fromEntries(accounts.map((account) => [account.name, accountKeys(account, destinations)])),
    ...(oauth.size === 0
      ? {}
      : { oauth: Object.fromEntries([...oauth].map(([name, client]) => [name, withoutNull(shownClient(client))])) }),
    destinations: Object.fromEntries(
      [...destinations.values()].flatMap((target) =>
        target.type === FIRST_OF ? [] : [[target.name, withoutNull({ ...kindOf(target).show(target), name: null })]],
      ),
    ),
    ...(include.length === 0 ? {} : { include: [...include] }),
    ...(accountsFrom === null
      ? {}
      : {
          accountsFrom: {
            command: [commandName(accountsFrom.command)],
            every: formatDuration(accountsFrom.every),
            keep: accountsFrom.keep,
          },
        }),
    state: stateKeys(configuration),
    concurrency,
    ...withoutNull({ perHost }),
    daemon: daemonKeys(daemon),
    ...(notify.length === 0 ? {} : { notify: notify.map(shownNotifier) }),
    log: withoutNull(log),
  }
}

/** Its path alone, where nothing else was said. */
function stateKeys({ statePath, postgres, headers, backup, keepDeparted }: Configuration): Written[string] {
  const kept = keepDeparted === null ? 'never' : formatDuration(keepDeparted)
  if (postgres !== null) {
    const { password, ca, schema, key, formerKey } = postgres
    const url = postgresUrl({ ...postgres, schema: SCHEMA })
    const [secret, seals, sealed] = [password, key, formerKey].map(sourceKeys)
    return withoutNull({
      postgres: url,
      password: secret ?? null,
      ca,
      schema,
      key: seals ?? null,
      formerKey: sealed ?? null,
      headers,
      keepDeparted: kept,
    })
  }
  const isUsual =
    headers === USUAL_STATE.headers && backup === USUAL_STATE.backup && keepDeparted === USUAL_STATE.keepDeparted.ms
  return isUsual ? statePath : { path: statePath, headers, backup, keepDeparted: kept }
}

function accountKeys(account: Account, destinations: Configuration['destinations']): Written {
  const { pin, password, token, proxy, via, before, after, first, maxSizeBytes, timeoutMs } = account
  const targets = (names: readonly string[]) =>
    names.map((name) => {
      const target = destinations.get(name)
      return target?.type === FIRST_OF ? { [FIRST_OF]: target.of } : name
    })
  return withoutNull({
    ...account,
    name: null,
    fault: null,
    formerly: account.formerly.length === 0 ? null : [...account.formerly],
    pin: pinKeys(pin),
    password: sourceKeys(password),
    token: sourceKeys(token),
    recipient: recipientKeys(account.recipient),
    proxy: proxy === null ? null : proxyText(proxy),
    ...Object.fromEntries(
      Object.entries({ via, before, after }).map(([key, run]) => [key, run === null ? null : [commandName(run)]]),
    ),
    deliver: targets(account.deliver),
    route:
      account.route.length === 0
        ? null
        : account.route.map(({ when, deliver }) => ({ when: conditions(when), deliver: targets(deliver) })),
    delete: account.delete.kind === 'age' ? formatDuration(account.delete.ageMs) : account.delete.kind,
    poll: pollText(account.poll),
    first: firstText(first),
    maxSizeBytes: null,
    maxSize: maxSizeBytes === null ? null : formatSize(maxSizeBytes),
    timeoutMs: null,
    timeout: formatDuration(timeoutMs),
  })
}

function daemonKeys({ http, machine, onProblem, alertAfterMs }: Configuration['daemon']): Written {
  return withoutNull({
    http: http === null ? null : placeText(http.place),
    httpToken: sourceKeys(http?.token ?? null),
    httpHosts: http === null || http.hosts.length === 0 ? null : [...http.hosts],
    machine,
    onProblem: onProblem === null ? null : [commandName(onProblem)],
    alertAfter: formatDuration(alertAfterMs),
  })
}

function conditions(when: When): Written {
  const { header, size } = when
  return withoutNull({
    ...when,
    header: header.length === 0 ? null : Object.fromEntries(header.map(({ name, pattern }) => [name, pattern])),
    size: size === null ? null : `${size.than === 'larger' ? '>' : '<'}${formatSize(size.bytes)}`,
  })
}

function withoutNull(keys: Written): Written {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null))
}

function firstText(first: FirstPolicy): string {
  switch (first.kind) {
    case 'default':
      return 'all'
    case 'last':
      return `last:${first.count}`
    case 'since':
      return sinceText(first.sinceMs)
    case 'all':
    case 'new':
      return first.kind
  }
}
