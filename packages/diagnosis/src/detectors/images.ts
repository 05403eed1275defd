// Why an image cannot be pulled, by what the registry or the runtime said.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Picture } from '../picture.ts'

export interface ImageCause {
  readonly id: string
  readonly cause: string
  readonly fix: string
}

export function imageCause(image: string, message: string, picture: Picture, pod: Pod): ImageCause {
  const { namespace } = pod.metadata
  const named = (pod.spec.imagePullSecrets ?? []).map(({ name }) => name)
  const gone = picture.unread.has('secrets')
    ? []
    : named.filter(
        (name) => !picture.secrets.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
      )
  if (/InvalidImageName|invalid reference format|couldn't parse image/i.test(message))
    return { id: 'image-name', cause: `"${image}" is no name of an image.`, fix: 'Correct the image of the container.' }
  if (/not present with pull policy of Never|ErrImageNeverPull/i.test(message))
    return {
      id: 'image-never-pulled',
      cause: `The node does not have "${image}", and imagePullPolicy: Never forbids to fetch it.`,
      fix: 'Use IfNotPresent, or bring the image to the nodes.',
    }
  if (/unauthorized|authentication required|denied|forbidden|\b40[13]\b/i.test(message))
    return {
      id: 'image-secret',
      cause:
        gone.length > 0
          ? `The registry wants a password, and the pull secret "${gone[0]}" does not exist.`
          : named.length === 0
            ? `The registry does not give "${image}" to everyone, and the pod has no pull secret.`
            : `The registry refuses the password in "${named[0]}" for "${image}".`,
      fix:
        named.length === 0
          ? 'Name a secret in imagePullSecrets (kubectl create secret docker-registry), or attach the registry: az aks update --attach-acr.'
          : 'Correct the pull secret.',
    }
  if (/not found|manifest unknown|does not exist|no such image/i.test(message))
    return {
      id: 'image-not-found',
      cause: `The registry has no "${image}": the name or the tag is wrong.`,
      fix: 'Correct the image of the container.',
    }
  if (/no such host|timeout|connection refused|dial tcp|i\/o|unreachable|lookup/i.test(message))
    return {
      id: 'registry-unreachable',
      cause: `The registry of "${image}" cannot be reached from the node.`,
      fix: 'Correct the registry in the name of the image; look at the outbound way of the nodes and their DNS.',
    }
  return { id: 'image-pull', cause: message, fix: 'See what the registry says.' }
}
