// The image of the application-routing add-on's proxy: Debian's haproxy, and a few lines of shell that start it and tell it
// when its files have changed, which Debian's inotifywait sees.

import type { Scope } from '@aksel/base/scope'
import type { Architecture } from './builder.ts'
import { busyboxLayer, file, PATH, programLayer, text } from './layers.ts'
import type { ImageSpec } from './oci-archive.ts'

export const ingressProxyReference = 'docker.io/library/aksel-ingress-proxy:2'

/** Where Debian's packages have them. */
export const HAPROXY = '/usr/sbin/haproxy'
export const INOTIFYWAIT = '/usr/bin/inotifywait'

/**
 * A volume's files change by one link that is moved, which is what inotifywait waits for. A configuration that haproxy itself
 * refuses is not taken up: it says why in the log, and goes on with what it has.
 */
const entry = `#!/bin/sh
folder=/etc/ingress-proxy
while [ ! -s "$folder/haproxy.cfg" ]; do sleep 0.1; done
haproxy -W -db -f "$folder/haproxy.cfg" &
master=$!
trap 'kill -USR1 "$master"' TERM INT
inotifywait -q -m -e moved_to --format %f "$folder" | while read -r event; do
  [ "$event" = ..data ] || continue
  haproxy -c -q -f "$folder/haproxy.cfg" && kill -USR2 "$master"
done &
watcher=$!
wait "$master"
# A signal ends the first wait; open requests are let finish.
wait "$master"
kill "$watcher" 2>/dev/null
`

export async function ingressProxyImage(
  scope: Scope,
  options: { readonly architecture: Architecture; readonly busyboxPath: string },
): Promise<ImageSpec> {
  return {
    references: [ingressProxyReference],
    architecture: options.architecture,
    layers: [
      await busyboxLayer(scope, options.busyboxPath),
      await programLayer(scope, HAPROXY, 'usr/bin/haproxy'),
      await programLayer(scope, INOTIFYWAIT, 'usr/bin/inotifywait'),
      [
        text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nhaproxy:x:101:101:haproxy:/:/bin/sh\n'),
        text('etc/group', 'root:x:0:\nhaproxy:x:101:\n'),
        file('usr/bin/start-ingress-proxy', Buffer.from(entry), 0o755),
      ],
    ],
    config: { User: '101:101', Env: [PATH], Entrypoint: ['/usr/bin/start-ingress-proxy'] },
  }
}
