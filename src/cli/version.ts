// The version, from the only place where it is written; a build puts it in.
import about from '../../package.json' with { type: 'json' }
export const version: string = about.version
