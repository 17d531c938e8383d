// The program itself, its cache and its completions: how it was installed shows in the path that it runs from.
import { realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { isContainer } from '../../../environment.ts'
import type { Surroundings } from '../../surroundings.ts'
import { type Findings, type Found, joined, removal, removedFile } from './found.ts'
import { baseFolder, ownFolder } from './folders.ts'
import { isThere } from './state.ts'

type Place = Pick<Surroundings, 'env' | 'host'>

/** What Node keeps of compiled code, a folder for each version of Node with a file for each module; and what popfetch keeps:
 *  code (kept-code.ts), a configuration (config/kept/). */
const COMPILED = /^(?:v\d[\w.-]*\/(?:[\w.-]+)?|(?:code|configuration)-[\da-f]{16}(?:\.\d+)?)$/

export async function programFindings({ env, host }: Place): Promise<Findings> {
  const caches = baseFolder(env, 'XDG_CACHE_HOME', '.cache')
  const cache =
    caches === null ? { found: [], kept: [] } : await ownFolder('cache', path.join(caches, 'popfetch'), COMPILED)
  const last = host.command.at(-1) ?? ''
  const real = await realpath(last).catch(() => last)
  const completions = (await completionsOf(env)).map((file) => removedFile('completion', file))
  return joined([cache, { found: completions, kept: [] }, { found: [programAt(real, env)], kept: [] }])
}

/** Where shells look for completions of a user. */
async function completionsOf(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const data = baseFolder(env, 'XDG_DATA_HOME', '.local/share')
  const own = baseFolder(env, 'XDG_CONFIG_HOME', '.config')
  const home = baseFolder(env, '', '')
  const places = [
    ...(data === null ? [] : [path.join(data, 'bash-completion/completions/popfetch')]),
    ...(own === null ? [] : [path.join(own, 'fish/completions/popfetch.fish')]),
    ...(home === null ? [] : [path.join(home, '.zfunc/_popfetch')]),
  ]
  const there = await Promise.all(places.map(isThere))
  return places.filter((_, at) => there[at] === true)
}

function programAt(file: string, env: NodeJS.ProcessEnv): Found {
  if (isContainer(env))
    return removal('program', 'the container', ['docker', 'rm', '--force', hostname()], 'on the host; its volumes stay')
  if (file.startsWith('/usr/lib/popfetch/'))
    return removal(
      'program',
      file,
      ['apt-get', 'purge', 'popfetch'],
      'as root; removes its configuration and ledger, no mail',
    )
  const [, before, runner] = /^(.*?)(\/_npx\/[0-9a-f]+)?\/node_modules\/popfetch\//.exec(file) ?? []
  if (before !== undefined && runner !== undefined)
    return removal('program', file, ['rm', '-r', '--', `${before}${runner}`], 'kept by npx')
  if (before !== undefined) {
    const isGlobal = path.basename(before) === 'lib'
    const where = isGlobal ? ['--global', '--prefix', path.dirname(before)] : ['--prefix', before]
    return removal('program', file, ['npm', 'uninstall', ...where, 'popfetch'])
  }
  if (process.getBuiltinModule('node:sea').isSea()) return removedFile('program', file)
  return {
    kind: 'program',
    what: file,
    command: null,
    note: 'it runs from a copy of its sources: remove that folder by hand',
  }
}
