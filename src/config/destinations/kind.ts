// Keys that every kind of destination has.
import * as value from '../values/values.ts'

export const common = {
  trace: value.flag.default(true).describe('Puts a Received field on top of each message'),
  label: value.flag.default(false).describe('Adds X-Popfetch-Account: NAME'),
}
