// A container without an engine: the tree that a Dockerfile makes, run in namespaces of its own with a root that cannot be written to,
// its mounts, and the rights that an engine leaves.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { checkout, npmRun, ROOT } from './checkout.ts'
import { debianTree, type Ended, inTree, run } from './debian-tree.ts'
import { childrenOf, runProgram, startProgram, type Running, type TemporaryDirectory } from './program.ts'

export interface Image extends TemporaryDirectory {
  readonly env: Readonly<Record<string, string>>
  readonly entry: readonly string[]
  readonly command: readonly string[]
  readonly health: readonly string[]
}

const FOLDER = join(ROOT, 'examples/container')
export const dockerfile = async (name = 'Dockerfile'): Promise<string> => await readFile(join(FOLDER, name), 'utf8')

/** Does what the Dockerfile says. What it fetches (packages of Debian and of npm) is there already. */
export async function buildImage(): Promise<Image> {
  const text = await dockerfile()
  const [build = '', final = ''] = text.split(/^FROM .*$/m).slice(1)
  await using context = await builtIn(build)
  const tree = await debianTree()
  for (const [, words = ''] of final.matchAll(/^COPY --from=build (.*)$/gm)) {
    const sources = words.split(' ').filter((word) => !word.startsWith('--'))
    const to = sources.pop() ?? ''
    await mkdir(join(tree.path, to.endsWith('/') ? to : dirname(to)), { recursive: true })
    for (const source of sources)
      await runProgram('cp', [source.replace(/^\/build/, context.path), join(tree.path, to)], '/')
  }
  for (const line of steps(final)) {
    const { status, stderr } = await inTree(tree.path, ['sh', '-ec', line])
    if (status !== 0) throw new Error(`${line}: ${stderr}`)
  }
  const env = /^ENV (.*)$/m.exec(final)?.[1] ?? ''
  const list = (word: string): string[] =>
    JSON.parse(new RegExp(`^${word}.*?(\\[.*\\])$`, 'm').exec(final)?.[1] ?? 'null') as string[]
  return {
    ...tree,
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
    env: Object.fromEntries(env.split(' ').map((word) => word.split('=') as [string, string])),
    entry: list('ENTRYPOINT'),
    command: list('CMD'),
    health: list('HEALTHCHECK'),
  }
}

/** The build stage, from nothing but what is copied into it. */
async function builtIn(stage: string): Promise<TemporaryDirectory> {
  const ignored = (await dockerfile('Dockerfile.dockerignore')).split('\n')
  const sources = [...stage.matchAll(/^COPY (.*)$/gm)].flatMap(([, words = '']) => words.split(' ').slice(0, -1))
  const missing = sources.filter((source) => !ignored.includes(`!${source.replace(/^\.\//, '')}`))
  if (missing.length > 0) throw new Error(`Dockerfile.dockerignore leaves out ${missing.join(', ')}`)
  const context = await checkout(sources)
  for (const line of steps(stage)) {
    const [, script = '', argument] = /^npm run (\S+)(?: -- (\S+))?$/.exec(line) ?? []
    await npmRun(context, script, ...(argument === undefined ? [] : [argument]))
  }
  return context
}

function steps(stage: string): readonly string[] {
  const lines = [...stage.matchAll(/^RUN (.*)$/gm)].map(([, line = '']) => line)
  return lines.filter((line) => !/^(?:apt-get|npm ci) /.test(line))
}

/** What `docker run` is told. */
export interface Run {
  readonly user?: string
  readonly env?: Readonly<Record<string, string | null>>
  /** Where, and what: the folder of a machine. */
  readonly mounts?: Readonly<Record<string, string>>
  /** `--cap-drop ALL`; otherwise what an engine leaves to root. */
  readonly withoutRights?: boolean
  readonly command?: readonly string[]
}

/** What an engine leaves to root unless it is told otherwise. */
const RIGHTS = [
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'net_bind_service',
  'sys_chroot',
  'mknod',
  'audit_write',
  'setfcap',
  'net_raw',
]

export class Container implements AsyncDisposable {
  readonly #image: Image
  readonly #run: Run
  readonly #running: Running
  readonly #files: string

  private constructor(image: Image, run_: Run, running: Running, files: string) {
    this.#image = image
    this.#run = run_
    this.#running = running
    this.#files = files
  }

  static async start(image: Image, given: Run): Promise<Container> {
    const files = await mkdtemp(join(tmpdir(), 'popfetch-run-'))
    const root = image.path
    const binds = Object.entries(given.mounts ?? {}).map(([to, from]) => `mount --bind '${from}' '${root}${to}'`)
    for (const to of Object.keys(given.mounts ?? {})) await mkdir(join(root, to), { recursive: true })
    const script = [
      'set -e',
      'mount --make-rprivate /',
      `mount --bind '${root}' '${root}'`,
      `mount -o remount,bind,ro '${root}'`,
      `mount -t proc proc '${root}/proc'`,
      `mount -t tmpfs tmpfs '${root}/tmp'`,
      ...binds,
      `exec chroot '${root}' "$@"`,
    ]
    await writeFile(join(files, 'start'), script.join('\n'))
    const words = [...wordsBefore(image, given), ...image.entry, ...(given.command ?? image.command)]
    const namespaces = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child']
    const running = await startProgram('unshare', [...namespaces, 'sh', join(files, 'start'), ...words], '/')
    return new Container(image, given, running, files)
  }

  get exited(): Promise<number | null> {
    return this.#running.exited
  }

  /** `docker logs`. */
  get output(): string {
    return this.#running.output()
  }

  /** `docker exec`. */
  async exec(...words: readonly string[]): Promise<Ended> {
    const into = ['--target', String(await this.#first()), '--mount', '--pid', '--ipc', '--uts', '--root', '--wd', '--']
    return await run('nsenter', [...into, ...wordsBefore(this.#image, this.#run), ...words])
  }

  async isHealthy(): Promise<boolean> {
    return (await this.exec(...this.#image.health)).status === 0
  }

  /** `docker stop`, without its patience. */
  async stop(): Promise<number | null> {
    process.kill(await this.#first(), 'SIGTERM')
    return await this.exited
  }

  /** The processes in it: state and owner. */
  async processes(): Promise<readonly { readonly state: string; readonly uid: number }[]> {
    const found = []
    for (const pid of await this.#pids(await this.#first())) {
      const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
      const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1] ?? ''
      if (text !== '') found.push({ state: field('State'), uid: Number(field('Uid')) })
    }
    return found
  }

  /** Asks again and again; the limit is the test's own, or the end of the container. */
  async until(fact: () => boolean | Promise<boolean>): Promise<void> {
    const end = this.exited.then((code) => {
      throw new Error(`it ended with ${code}: ${this.output}`)
    })
    end.catch(() => {})
    while (!(await fact())) await Promise.race([end, new Promise((next) => setTimeout(next, 50))])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of await childrenOf(this.#running.pid)) process.kill(pid, 'SIGKILL')
    await this.#running[Symbol.asyncDispose]()
    await rm(this.#files, { recursive: true, force: true })
  }

  /** The process that is number 1 inside. */
  async #first(): Promise<number> {
    const [first] = await childrenOf(this.#running.pid)
    if (first === undefined) throw new Error(`the container has ended: ${this.output}`)
    return first
  }

  async #pids(pid: number): Promise<readonly number[]> {
    const below = await Promise.all((await childrenOf(pid)).map(async (child) => await this.#pids(child)))
    return [pid, ...below.flat()]
  }
}

/** Rights, user and environment, before the words of a program. */
function wordsBefore({ env }: Image, given: Run): readonly string[] {
  const rights = given.withoutRights === true ? '-all' : `-all,${RIGHTS.map((right) => `+${right}`).join(',')}`
  const [uid, gid = uid] = given.user?.split(':') ?? []
  const user = uid === undefined ? [] : [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups']
  const all = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env, ...given.env }
  const variables = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]))
  return [
    'setpriv',
    '--bounding-set',
    rights,
    '--inh-caps',
    '-all',
    '--no-new-privs',
    ...user,
    '--',
    'env',
    '-i',
    ...variables,
  ]
}
