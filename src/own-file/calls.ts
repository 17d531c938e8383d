// The calls that own-file.ts makes. Not those of node:fs/promises: what Node loads for a FileHandle (readline, watchers of files)
// takes two milliseconds of each start. A file is known by its descriptor: whoever opens one closes it.
import fs from 'node:fs'
import { promisify } from 'node:util'

export const closeFile = promisify(fs.close)
export const lstat = promisify(fs.lstat)
export const openFile = promisify(fs.open)
export const readlink = promisify(fs.readlink)
export const readPart = promisify(fs.read)
export const statFile = promisify(fs.fstat)
