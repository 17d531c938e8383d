// The version, read from package.json; a build writes it into the program.
import about from '../../package.json' with { type: 'json' }
export const version: string = about.version
