// The package as people get it: built, packed, and installed without a network by a user who is not root. The build goes
// to a folder of its own: dist/ of the checkout stays as it is.
import { execFile } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'node_modules/.bin')
/** A user that the password file does not know. */
export const NOBODY = 424_242

const run = promisify(execFile)

export interface Printed {
  readonly stdout: string
  readonly stderr: string
}

/** A temporary folder with the packed package and the home of a user. */
export class PackedHome implements Disposable {
  readonly scene: string
  readonly dist: string
  readonly home: string
  /** Of the user: `bin/` comes first in PATH but for what npm installs. */
  readonly PATH: string
  /** The files of which the bundle is made, by its source maps. */
  readonly sources: readonly string[]
  readonly tarball: string

  private constructor(scene: string, sources: readonly string[]) {
    this.scene = scene
    this.dist = join(scene, 'checkout/dist')
    this.home = join(scene, 'home')
    this.PATH = [join(this.home, 'prefix/bin'), join(this.home, 'bin'), process.env['PATH']].join(delimiter)
    this.sources = sources
    const [name = ''] = readdirSync(scene).filter((file) => file.endsWith('.tgz'))
    this.tarball = join(scene, name)
  }

  static async pack(): Promise<PackedHome> {
    const scene = mkdtempSync(join(tmpdir(), 'popfetch-package-'))
    const dist = join(scene, 'checkout/dist')
    chmodSync(scene, 0o755)
    await run(join(BIN, 'rolldown'), ['-c', '.rolldown.config.js', '--dir', dist, '--sourcemap', 'hidden'], {
      cwd: ROOT,
    })
    await run(process.execPath, ['.build/types.js', dist], { cwd: ROOT })
    await run(process.execPath, ['.build/pages.js', dist], { cwd: ROOT })
    const maps = filesIn(dist).filter((file) => file.endsWith('.map'))
    const sources = maps.flatMap(
      (file) => (JSON.parse(readFileSync(join(dist, file), 'utf8')) as { sources: string[] }).sources,
    )
    for (const file of maps) rmSync(join(dist, file))
    for (const name of ['package.json', 'README.md', 'LICENSE', 'examples']) {
      cpSync(join(ROOT, name), join(scene, 'checkout', name), { recursive: true })
    }
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', scene], { cwd: join(scene, 'checkout') })
    // The Node.js of the checkout may lie where others cannot read.
    mkdirSync(join(scene, 'home/bin'), { recursive: true })
    copyFileSync(process.execPath, join(scene, 'home/bin/node'))
    const packed = new PackedHome(scene, sources)
    await packed.own('.')
    return packed
  }

  /** Gives a file or folder of the home, and all in it, to the user. */
  async own(name: string): Promise<void> {
    if (process.getuid?.() === 0) await run('chown', ['-R', `${NOBODY}:${NOBODY}`, join(this.home, name)])
  }

  /** Who the user is, for a child process: not root. */
  get user(): { readonly uid?: number; readonly gid?: number } {
    return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  }

  /** With little in the environment. */
  environment(changes: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { HOME: this.home, PATH: this.PATH, npm_config_prefix: join(this.home, 'prefix'), ...changes }
  }

  /** Runs a program as the user, in the home. Rejects when it fails. */
  async asUser(file: string, args: readonly string[], changes: NodeJS.ProcessEnv = {}): Promise<Printed> {
    return await run(file, args, { ...this.user, cwd: this.home, env: this.environment(changes) })
  }

  [Symbol.dispose](): void {
    rmSync(this.scene, { recursive: true, force: true })
  }
}

/** What is in the folder and its folders: paths of files. */
export function filesIn(folder: string): string[] {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return found.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
}
