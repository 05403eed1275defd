// An image of PostgreSQL from Debian's packages, as they are installed on this machine: the server, initdb, and what they load.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import type { Architecture } from '@aksel/node/images/builder'
import { busyboxLayer, directory, file, PATH, programLayer, text } from '@aksel/node/images/layers'
import type { ImageFile, ImageSpec } from '@aksel/node/images/oci-archive'

export const postgresReferences = ['docker.io/library/postgres:15']

const HOME = '/usr/lib/postgresql/15'
const SHARE = '/usr/share/postgresql/15'
const USER = 999
/** Modules of the server that it needs from the start; others are for extensions. */
const MODULES = /^(plpgsql|dict_snowball|libpqwalreceiver|pgoutput|utf8_and_\w+|latin\w+|\w+_and_\w+)\.so$/
const NOT_NEEDED = new Set(['man', 'contrib'])

/** As docker.io's image begins: a data folder is made once, its password comes from POSTGRES_PASSWORD. */
const entry = `#!/bin/sh
set -e
export PGDATA="\${PGDATA:-/var/lib/postgresql/data}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ -n "$POSTGRES_PASSWORD" ] || { echo 'POSTGRES_PASSWORD is not set' >&2; exit 1; }
  mkdir -p "$PGDATA"
  echo "$POSTGRES_PASSWORD" > /tmp/password
  ${HOME}/bin/initdb --pgdata="$PGDATA" --username=postgres --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
# A volume's fsGroup opened it for the group, and the server refuses such a folder.
chmod 700 "$PGDATA"
exec ${HOME}/bin/postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
`

export async function postgresImage(
  scope: Scope,
  options: { readonly architecture: Architecture; readonly busyboxPath: string },
): Promise<ImageSpec> {
  const programs = await Promise.all(
    ['postgres', 'initdb'].map((name) => programLayer(scope, `${HOME}/bin/${name}`, `${HOME.slice(1)}/bin/${name}`)),
  )
  const modules: ImageFile[] = [directory(`${HOME.slice(1)}/lib`)]
  for (const name of (await readdir(`${HOME}/lib`)).filter((each) => MODULES.test(each)).sort()) {
    modules.push(file(`${HOME.slice(1)}/lib/${name}`, await readFile(`${HOME}/lib/${name}`), 0o644))
  }
  return {
    references: postgresReferences,
    architecture: options.architecture,
    layers: [
      await busyboxLayer(scope, options.busyboxPath),
      foldersOf(HOME, 'bin'),
      ...programs,
      modules,
      [...foldersOf(SHARE), ...(await filesBelow(SHARE))],
      [
        text('etc/passwd', `root:x:0:0:root:/root:/bin/sh\npostgres:x:${USER}:${USER}:postgres:/tmp:/bin/sh\n`),
        text('etc/group', `root:x:0:\npostgres:x:${USER}:\n`),
        file('usr/bin/start-postgres', Buffer.from(entry), 0o755),
      ],
    ],
    config: {
      User: `${USER}:${USER}`,
      Env: [PATH, 'LANG=C.UTF-8', 'LC_ALL=C'],
      Entrypoint: ['/usr/bin/start-postgres'],
      ExposedPorts: { '5432/tcp': {} },
    },
  }
}

/** Every folder on the way. */
function foldersOf(path: string, ...more: readonly string[]): readonly ImageFile[] {
  const parts = [...path.split('/').filter((part) => part !== ''), ...more]
  return parts.map((_, index) => directory(parts.slice(0, index + 1).join('/')))
}

async function filesBelow(path: string): Promise<readonly ImageFile[]> {
  const found: ImageFile[] = []
  const entries = (await readdir(path, { withFileTypes: true })).toSorted((left, right) =>
    left.name < right.name ? -1 : 1,
  )
  for (const entry of entries) {
    if (NOT_NEEDED.has(entry.name)) continue
    const own = join(path, entry.name)
    if (entry.isDirectory()) found.push(directory(own.slice(1)), ...(await filesBelow(own)))
    else found.push(file(own.slice(1), await readFile(own), 0o644))
  }
  return found
}
