// A place on disk for the contract suite. The file system calls of its destination are counted and disturbed. What fsync has
// made durable is remembered, and a child process can be killed at each call.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { inject } from 'vitest'
import { Reserve } from '../../src/deliver/disk/reserve.ts'
import { FaultyFileSystems, NFS } from '../support/faulty-filesystem.ts'
import { type DiskKind, diskKinds } from './disk-kinds.ts'
import type { Held, Kind, Place } from './place.ts'
import { directory } from './scene.ts'

/** Short writes happen, and have to go on where they ended. */
const SHORT_WRITE_BYTES = 100

/** With what an earlier one has compiled, a process starts in a third of the time. */
const CACHE = path.join(path.dirname(inject('popfetch')), 'cache')

/** Relative path → content. */
export type Tree = ReadonlyMap<string, Buffer>

/** How a kind of destination is looked at. */
export interface DiskView {
  /** Puts there what the destination expects to find. */
  prepare(root: string): void
  /** The messages in these files, as received. */
  messages(tree: Tree): readonly Buffer[]
  leftovers(tree: Tree): readonly string[]
  /** Makes what a process of this test left behind look as if that process had ended. */
  restart?(root: string): void
}

export function onDisk(name: keyof typeof diskKinds, view: DiskView, open = diskKinds[name]): Kind {
  return {
    name,
    failures: ['EIO', 'ENOSPC'],
    place: ({ longNames } = { longNames: false }) => {
      const deep = longNames ? ['d', 'e', 'f'].map((letter) => letter.repeat(200)) : []
      const root = path.join(directory(), ...deep, 'place')
      fs.mkdirSync(root, { recursive: true, mode: 0o700 })
      view.prepare(root)
      return Promise.resolve(new DiskPlace(name, root, view, open))
    },
  }
}

class DiskPlace implements Place {
  readonly mostBytes = null
  readonly #name: string
  readonly #root: string
  readonly #view: DiskView
  readonly #open: DiskKind
  readonly #faults = new FaultyFileSystems(NFS)
  readonly #reserve = new Reserve()
  readonly #durable: Durable
  #holding: { readonly step: number; readonly reach: () => void; readonly released: Promise<void> } | null = null

  constructor(name: string, root: string, view: DiskView, open: DiskKind) {
    this.#name = name
    this.#root = root
    this.#view = view
    this.#open = open
    this.#durable = new Durable(root)
    this.#faults.before = (call, subject) => {
      this.#durable.before(call, subject)
      if (this.#holding === null || this.#faults.calls !== this.#holding.step) return undefined
      this.#holding.reach()
      return this.#holding.released
    }
    this.#faults.after = (call, subject) => this.#durable.after(call, subject)
  }

  open(limitMs?: number) {
    return this.#open({ root: this.#root, fileSystems: this.#faults, reserve: this.#reserve, limitMs: limitMs ?? null })
  }

  async seen() {
    await this.#faults.quiet()
    return this.#view.messages(treeOf(this.#root)).map((bytes) => ({ recipient: '', bytes }))
  }

  afterPowerCut() {
    return Promise.resolve(this.#view.messages(this.#durable.tree()).map((bytes) => ({ recipient: '', bytes })))
  }

  async leftovers() {
    await this.#faults.quiet()
    return this.#view.leftovers(treeOf(this.#root))
  }

  failAt(step: number, how: string): void {
    this.#count()
    this.#faults.errno = how
    this.#faults.failing = step
  }

  holdAt(step: number): Held {
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.#count()
    this.#holding = { step, reach: reached.resolve, released: released.promise }
    return { reached: reached.promise, release: released.resolve }
  }

  steps(): number {
    return this.#faults.calls
  }

  #count(): void {
    this.#faults.calls = 0
    this.#faults.writeBytes = SHORT_WRITE_BYTES
  }

  goDown(): void {
    fs.renameSync(this.#root, `${this.#root}.away`)
  }

  fillUp(): void {
    this.#faults.freeBytes = 1000
    this.#faults.errors.set('write', { errno: 'ENOSPC', performs: false })
  }

  heal(): void {
    if (fs.existsSync(`${this.#root}.away`)) fs.renameSync(`${this.#root}.away`, this.#root)
    this.#faults.failing = 0
    this.#faults.freeBytes = null
    this.#faults.errors.clear()
    this.#view.restart?.(this.#root)
  }

  /** A step is a call that changes something. */
  readonly killAt: Place['killAt'] = async (step, { intent }) => {
    const victim = path.join(import.meta.dirname, 'disk-victim.ts')
    const child = spawn(process.execPath, [victim, this.#name, this.#root, String(step), intent], {
      env: { ...process.env, NODE_COMPILE_CACHE: CACHE },
      stdio: 'inherit',
    })
    const [code, signal] = await once(child, 'exit')
    if (signal === 'SIGKILL') return true
    if (code !== 0) throw new Error(`the victim ended with ${code ?? signal}`)
    return false
  }
}

function treeOf(root: string): Tree {
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => path.join(parentPath, name))
  return new Map(paths.toSorted().map((file) => [path.relative(root, file), fs.readFileSync(file)]))
}

/** What a power cut would leave: of each file and directory, what it held when it was last synced. */
class Durable {
  readonly #root: string
  /** By inode. */
  readonly #files = new Map<number, Buffer>()
  readonly #directories = new Map<number, ReadonlyMap<string, number>>()
  /** What is being synced, by descriptor. */
  readonly #syncing = new Map<string | number, () => void>()

  constructor(root: string) {
    this.#root = root
    for (const entry of fs.readdirSync(root, { recursive: true, encoding: 'utf8' }))
      this.#look(path.join(root, entry))()
    this.#look(root)()
  }

  before(call: string, subject: string | number): void {
    if (call === 'fsync') this.#syncing.set(subject, this.#look(`/proc/self/fd/${subject}`))
  }

  after(call: string, subject: string | number): void {
    if (call === 'fsync') this.#syncing.get(subject)?.()
    // A new file may get the inode of one that was removed.
    const stats = call === 'open' ? fs.statSync(subject as string, { throwIfNoEntry: false }) : undefined
    if (stats?.size === 0) this.#files.delete(stats.ino)
  }

  tree(): Tree {
    const tree = new Map<string, Buffer>()
    const visit = (folder: string, inode: number): void => {
      for (const [name, entry] of this.#directories.get(inode) ?? []) {
        const file = path.join(folder, name)
        if (this.#directories.has(entry)) visit(file, entry)
        // Its name is durable, and nothing of its content.
        else tree.set(file, this.#files.get(entry) ?? Buffer.alloc(0))
      }
    }
    visit('', fs.statSync(this.#root).ino)
    return tree
  }

  /** Reads it now; the function that is returned notes that this is durable. */
  #look(file: string): () => void {
    const stats = fs.statSync(file)
    if (!stats.isDirectory()) {
      const content = fs.readFileSync(file)
      return () => void this.#files.set(stats.ino, content)
    }
    const entries = fs.readdirSync(file).flatMap((name) => {
      // Gone by now, by another call.
      const entry = fs.lstatSync(path.join(file, name), { throwIfNoEntry: false })
      return entry === undefined ? [] : [[name, entry.ino] as const]
    })
    return () => void this.#directories.set(stats.ino, new Map(entries))
  }
}
