// The line for cron and the unit for systemd, with the real paths of Node and popfetch, as `init` and `--daemon` print them. Cron's
// environment has next to nothing: no PATH to speak of, none of the variables by which a configuration was found. Pure.
import { userInfo } from 'node:os'
import path from 'node:path'
import { usualStatePath } from '../../config/paths.ts'
import { stateWord } from '../../config/state/place.ts'
import type { Surroundings } from '../surroundings.ts'

interface Place {
  /** Absolute. */
  readonly configurationFile: string
  /** As `--state` says; null: nothing does. */
  readonly state: string | null
}

/** Every five minutes. */
export function cronLine(place: Place, surroundings: Pick<Surroundings, 'host' | 'env'>): string {
  return `*/5 * * * *  ${inCrontab(wordsOf(place, surroundings))}`
}

/** The daemon, with the machine. */
export function rebootLine(place: Place, surroundings: Pick<Surroundings, 'host' | 'env'>): string {
  return `@reboot  ${inCrontab([...wordsOf(place, surroundings), '--daemon'])}`
}

/** `%` ends the command in a crontab. */
function inCrontab(words: readonly string[]): string {
  return words.map((word) => quoted(word).replaceAll('%', '\\%')).join(' ')
}

/** Where the unit belongs. */
export function unitFile({ env, uid }: Pick<Surroundings, 'env' | 'uid'>): string {
  if (uid === 0) return '/etc/systemd/system/popfetch.service'
  const home = env['XDG_CONFIG_HOME'] ?? path.join(env['HOME'] ?? homeOf(), '.config')
  return path.join(home, 'systemd', 'user', 'popfetch.service')
}

/** A unit of one's own systemd; root's is one of the system, under a user of its own. */
export function systemdUnit(place: Place, surroundings: Pick<Surroundings, 'host' | 'env' | 'uid'>): string {
  const words = wordsOf(place, surroundings)
  const isSystem = surroundings.uid === 0
  const start = [...words, '--daemon', '--foreground'].map(escaped).join(' ')
  const reload = [...words, 'reload'].map(escaped).join(' ')
  return `${isSystem ? SYSTEM_HEAD : USER_HEAD}
[Unit]
Description=popfetch, fetches mail from POP3 mailboxes
StartLimitIntervalSec=10min
StartLimitBurst=5
${isSystem ? SYSTEM_ORDER : ''}
[Service]
Type=notify
NotifyAccess=all
ExecStart=${start}
ExecReload=${reload}
WatchdogSec=3min
TimeoutStopSec=20
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=64 78
UMask=0077
LimitCORE=0
NoNewPrivileges=yes

[Install]
WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}
`
}

// Without a clock of its own a machine starts years behind: certificates are not valid then (S040, a clock that is set right).
// A target to be ordered after, not to be pulled in (systemd.special(7)). The systemd of a user does not know it.
const SYSTEM_ORDER = `# A machine that keeps no time while it is off: systemctl enable systemd-time-wait-sync
After=network-online.target time-sync.target
Wants=network-online.target
`

const USER_HEAD = `# ~/.config/systemd/user/popfetch.service
#   systemctl --user enable --now popfetch
#   loginctl enable-linger            # to keep running when you are not logged in`

const SYSTEM_HEAD = `# /etc/systemd/system/popfetch.service
#   systemctl enable --now popfetch
# This runs as root. A dedicated user is safer: examples/systemd/popfetch.service`

function wordsOf(
  { configurationFile, state }: Place,
  { host, env }: Pick<Surroundings, 'host' | 'env'>,
): readonly string[] {
  const usual = usualStatePath({ HOME: env['HOME'] ?? homeOf() })
  const here = state === null ? usualStatePath(env) : stateWord(state, '/', env)
  return [...host.command, '--config', configurationFile, ...(here === usual ? [] : ['--state', here])]
}

function homeOf(): string {
  return userInfo().homedir
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** For systemd, where `%` and `$` stand for something as well. */
function escaped(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/[\\"]/g, '\\$&')}"`
}
