// What starts popfetch by itself: lines of cron, units of systemd. Only files of the usual places are read.
import path from 'node:path'
import { NO_INPUT, programEnvironment, runProgram, userName } from '../../../program.ts'
import type { Surroundings } from '../../surroundings.ts'
import { type Findings, type Found, removal, removedFile, shellWord, withCommand } from './found.ts'
import { baseFolder, namesIn } from './folders.ts'
import { readStart } from './read-start.ts'
import { isThere } from './state.ts'

type Place = Pick<Surroundings, 'env' | 'uid' | 'signal'>

/** As a program in a command line: not a user of that name, or a folder. */
const NAMED = /(?:^|[\s/"'=])popfetch(?:\.js|\.ts)?(?=$|[\s"'])/m

/** In front of a command in a table of the system. */
const TIME_AND_USER = /^\s*(?:@\S+|\S+(?:\s+\S+){4})\s+\S+/

const CRONTAB_MS = 5000
const CRONTAB_BYTES = 1 << 20
/** Nobody writes a longer unit or cron file. */
const LONGEST_BYTES = 1 << 18

export async function cronFindings(place: Place, root = '/'): Promise<Findings> {
  const at = (name: string): string => path.join(root, name)
  const folders = ['etc/cron.d', 'etc/cron.hourly', 'etc/cron.daily', 'etc/cron.weekly', 'etc/cron.monthly'].map(at)
  const files = (
    await Promise.all(folders.map(async (folder) => (await namesIn(folder)).map((name) => path.join(folder, name))))
  ).flat()
  const tables = [at('etc/crontab'), ...files.filter((file) => path.dirname(file) === at('etc/cron.d'))]
  const shared = await Promise.all(
    [...new Set([...tables, at('etc/anacrontab'), ...files])].map(
      async (file) => await cronFile(file, tables.includes(file)),
    ),
  )
  return { found: [...(await ownLines(place)), ...shared.flat()], kept: [] }
}

/** Each line of this user's table. */
async function ownLines({ env, signal }: Place): Promise<readonly Found[]> {
  const table = await runProgram({
    command: ['crontab', '-l'],
    env: programEnvironment(env),
    cwd: null,
    stdin: NO_INPUT,
    stdout: { keep: 'all', limitBytes: CRONTAB_BYTES },
    stderr: { keep: 'last', limitBytes: 1000 },
    limitMs: CRONTAB_MS,
    signal,
  }).catch(() => null)
  if (table?.code !== 0) return []
  return linesThatRun(table.stdout.toString('utf8')).map((line) =>
    withCommand('cron', line, `crontab -l | grep -vxF -e ${shellWord(line)} | crontab -`),
  )
}

/** `isTable`: each line names the user in front of the command. */
async function cronFile(file: string, isTable: boolean): Promise<readonly Found[]> {
  const text = await readStart(file, LONGEST_BYTES)
  const lines = linesThatRun(text, isTable ? TIME_AND_USER : /^/)
  if (lines.length === 0) return []
  const others = text.split('\n').filter((line) => isCommand(line) && !lines.includes(line))
  if (others.length === 0) return [removedFile('cron', file)]
  return [
    withCommand('cron', file, `"\${EDITOR:-vi}" ${shellWord(file)}`, `it also starts other programs: ${lines[0]}`),
  ]
}

/** `before`: what is in front of the command. */
function linesThatRun(text: string, before = /^/): readonly string[] {
  return text.split('\n').filter((line) => isCommand(line) && NAMED.test(line.replace(before, '')))
}

/** Neither a comment nor a variable. */
function isCommand(line: string): boolean {
  return line.trim() !== '' && !/^\s*(?:#|\w+\s*=)/.test(line)
}

export async function unitFindings({ env, uid }: Place, root = '/'): Promise<Findings> {
  const own = baseFolder(env, 'XDG_CONFIG_HOME', '.config')
  const places = [
    { folder: path.join(root, 'etc/systemd/system'), words: ['systemctl'] },
    { folder: path.join(root, 'etc/systemd/user'), words: ['systemctl', '--user'] },
    ...(own === null ? [] : [{ folder: path.join(own, 'systemd/user'), words: ['systemctl', '--user'] }]),
  ]
  const lists = await Promise.all(
    places.map(async ({ folder, words }) => {
      const units = await unitsIn(folder)
      const ended = units.map((file) =>
        removal('unit', path.basename(file), [...words, 'disable', '--now', path.basename(file)]),
      )
      const removed = units.map((file) => removedFile('unit', file))
      const reloaded =
        units.length === 0 ? [] : [removal('unit', 'systemd reads its units again', [...words, 'daemon-reload'])]
      return [...ended, ...removed, ...reloaded]
    }),
  )
  const found = lists.flat()
  const user = userName(env)
  const isLingering = user !== null && (await isThere(path.join(root, 'var/lib/systemd/linger', user)))
  if (found.length === 0 || uid === 0 || !isLingering) return { found, kept: [] }
  const note = 'unless other services of yours are to run while you are not logged in'
  return { found: [...found, removal('unit', user, ['loginctl', 'disable-linger'], note)], kept: [] }
}

/** Timers first: a service that is stopped would be started again. */
async function unitsIn(folder: string): Promise<readonly string[]> {
  const names = (await namesIn(folder)).filter((name) => /\.(?:timer|service)$/.test(name))
  const texts = await Promise.all(names.map(async (name) => await readStart(path.join(folder, name), LONGEST_BYTES)))
  const starts = (text: string): boolean => text.split('\n').some((line) => /^Exec\w+=/.test(line) && NAMED.test(line))
  const services = names.filter((name, at) => name.endsWith('.service') && starts(texts[at] ?? ''))
  const timed = (name: string, text: string): boolean => {
    const unit = /^Unit=(.+)$/m.exec(text)?.[1]?.trim() ?? name.replace(/timer$/, 'service')
    return services.includes(unit) || /^popfetch\b/.test(unit)
  }
  const timers = names.filter((name, at) => name.endsWith('.timer') && timed(name, texts[at] ?? ''))
  return [...timers, ...services].map((name) => path.join(folder, name))
}
