// The images of the test suite's update demo, `nautilus` and `kitten`: each serves its root over HTTP and differs from the
// other in the picture that its data.json names. The picture itself is one dot.

import type { Scope } from '@aksel/base/scope'
import type { Architecture } from '@aksel/node/images/builder'
import { busyboxLayer, file, PATH, text } from '@aksel/node/images/layers'
import type { ImageSpec } from '@aksel/node/images/oci-archive'

export const demoNames = ['nautilus', 'kitten'] as const
export type DemoName = (typeof demoNames)[number]

export function demoReference(name: DemoName): string {
  return `registry.k8s.io/e2e-test-images/${name}:1.7`
}

const dot =
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA='

/** The first process of a container gets no default action for signals: the shell ends the server when it is told to. */
const serve = 'httpd -f -v -p 80 -h / & trap "kill $!" TERM INT; wait'

export async function demoImage(
  scope: Scope,
  name: DemoName,
  options: { readonly architecture: Architecture; readonly busyboxPath: string },
): Promise<ImageSpec> {
  const picture = `${name}.jpg`
  const layer = [
    file(picture, Buffer.from(dot, 'base64'), 0o644),
    text('data.json', `${JSON.stringify({ image: picture })}\n`),
    text('index.html', `<!doctype html>\n<title>${name}</title>\n<img src="${picture}" alt="${name}">\n`),
  ]
  return {
    references: [demoReference(name)],
    architecture: options.architecture,
    layers: [await busyboxLayer(scope, options.busyboxPath), layer],
    config: { Env: [PATH], Entrypoint: ['sh', '-c', serve], ExposedPorts: { '80/tcp': {} } },
  }
}
