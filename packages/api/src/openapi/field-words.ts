// What `kubectl explain` says of the fields that every object has.

type Words = Readonly<Record<string, string>>

/** The type of an object, as schemas show it. */
export const typeMetaWords: Readonly<Record<string, { readonly type: string; readonly description: string }>> = {
  apiVersion: {
    type: 'string',
    description:
      'APIVersion defines in which group and version this object is written. A server may convert it to the version it stores, and refuses one that it does not know.',
  },
  kind: {
    type: 'string',
    description: 'Kind names the resource that this object stands for, in upper camel case. It cannot be changed.',
  },
}

/** By message, then by field. */
export const fieldWords: Readonly<Record<string, Words>> = {
  'meta/v1.ObjectMeta': {
    annotations: 'Annotations are texts by key that tools keep with the object; nothing selects by them.',
    creationTimestamp:
      'CreationTimestamp is a timestamp of the moment when the server made this object, in UTC. Clients cannot set it.',
    deletionGracePeriodSeconds: 'How long the object may take to end after its deletion was asked for.',
    deletionTimestamp:
      'DeletionTimestamp is a timestamp at which the object is to go. It stands here while finalizers or a grace period keep the object.',
    finalizers: 'Names of those who have work to do before the object may go; each removes its own.',
    generateName: 'A prefix from which the server makes a name where none is given.',
    generation: 'A number that grows with every change of what is wanted.',
    labels: 'Labels are texts by key by which objects are chosen.',
    managedFields: 'Who wrote which fields last, for server-side apply.',
    name: 'Name tells objects of a kind apart within their namespace. It cannot be changed.',
    namespace: 'Namespace is the space in which the name is unique. Kinds of the whole cluster have none.',
    ownerReferences: 'The objects that this one depends on: when all are gone, it is collected.',
    resourceVersion:
      'The version of the object in the store, for watches and for updates that must not be lost. Opaque.',
    selfLink: 'No longer filled in.',
    uid: 'UID is unique in time and space: an object made anew under the same name has another.',
  },
  'meta/v1.ListMeta': {
    continue: 'Where the list goes on, if it does.',
    remainingItemCount: 'How many more items there are, where that is known.',
    resourceVersion: 'The version of the store that the list shows.',
    selfLink: 'No longer filled in.',
  },
}
