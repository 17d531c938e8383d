// A standard stream that keeps what was written. `writableLength` is set by assignment.
import { EventEmitter } from 'node:events'

export class MemoryStream extends EventEmitter {
  text = ''
  writableLength = 0
  isTTY = false
  columns = 80
  rows = 24

  constructor() {
    super()
    // Each command line of a world listens to it.
    this.setMaxListeners(0)
  }

  write(text: string, done?: (error?: Error | null) => void): boolean {
    this.text += text
    done?.()
    return true
  }

  end(): this {
    return this
  }
}
