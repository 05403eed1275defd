// The part of etcd's API (v3.4 and later) that the driver speaks, as .proto text. Field numbers are etcd's (api/etcdserverpb,
// api/mvccpb). Keys and values are bytes there; so they are here.

export const etcdProto = `
syntax = "proto3";
package etcdserverpb;
service KV {
  rpc Range(RangeRequest) returns (RangeResponse);
  rpc Txn(TxnRequest) returns (TxnResponse);
  rpc Compact(CompactionRequest) returns (CompactionResponse);
}
service Watch { rpc Watch(stream WatchRequest) returns (stream WatchResponse); }
service Maintenance { rpc Status(StatusRequest) returns (StatusResponse); }
message StatusRequest { }
message StatusResponse { ResponseHeader header = 1; string version = 2; int64 dbSize = 3; }
service Auth { rpc Authenticate(AuthenticateRequest) returns (AuthenticateResponse); }
message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
message KeyValue { bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
message Event { enum EventType { PUT = 0; DELETE = 1; } EventType type = 1; KeyValue kv = 2; }
message RangeRequest {
  bytes key = 1; bytes range_end = 2; int64 limit = 3; int64 revision = 4; bool serializable = 7; bool keys_only = 8; bool count_only = 9;
}
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message PutRequest { bytes key = 1; bytes value = 2; }
message PutResponse { ResponseHeader header = 1; }
message DeleteRangeRequest { bytes key = 1; }
message DeleteRangeResponse { ResponseHeader header = 1; int64 deleted = 2; }
message RequestOp {
  oneof request { RangeRequest request_range = 1; PutRequest request_put = 2; DeleteRangeRequest request_delete_range = 3; }
}
message ResponseOp {
  oneof response { RangeResponse response_range = 1; PutResponse response_put = 2; DeleteRangeResponse response_delete_range = 3; }
}
message Compare {
  enum CompareResult { EQUAL = 0; GREATER = 1; LESS = 2; NOT_EQUAL = 3; }
  enum CompareTarget { VERSION = 0; CREATE = 1; MOD = 2; VALUE = 3; }
  CompareResult result = 1; CompareTarget target = 2; bytes key = 3;
  oneof target_union { int64 version = 4; int64 create_revision = 5; int64 mod_revision = 6; bytes value = 7; }
}
message TxnRequest { repeated Compare compare = 1; repeated RequestOp success = 2; repeated RequestOp failure = 3; }
message TxnResponse { ResponseHeader header = 1; bool succeeded = 2; repeated ResponseOp responses = 3; }
message CompactionRequest { int64 revision = 1; bool physical = 2; }
message CompactionResponse { ResponseHeader header = 1; }
message WatchRequest { oneof request_union { WatchCreateRequest create_request = 1; } }
message WatchCreateRequest {
  bytes key = 1; bytes range_end = 2; int64 start_revision = 3; bool progress_notify = 4; bool prev_kv = 6; int64 watch_id = 7; bool fragment = 8;
}
message WatchResponse {
  ResponseHeader header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; int64 compact_revision = 5;
  string cancel_reason = 6; bool fragment = 7; repeated Event events = 11;
}
message AuthenticateRequest { string name = 1; string password = 2; }
message AuthenticateResponse { ResponseHeader header = 1; string token = 2; }
`

/** A 64-bit number as protobufjs may hand it out; revisions stay far below 2^53. */
export type Integer = number | { toNumber(): number }

export interface EtcdHeader {
  readonly revision: Integer
}

export interface EtcdKeyValue {
  readonly key: Uint8Array
  readonly createRevision: Integer
  readonly modRevision: Integer
  readonly version: Integer
  readonly value: Uint8Array
}

export interface RangeResponse {
  readonly header: EtcdHeader
  readonly kvs: readonly EtcdKeyValue[]
  readonly more: boolean
  readonly count: Integer
}

export interface TxnResponse {
  readonly header: EtcdHeader
  readonly succeeded: boolean
  readonly responses: readonly { readonly responseRange?: RangeResponse | null }[]
}

export interface WatchResponse {
  readonly header: EtcdHeader
  readonly created: boolean
  readonly canceled: boolean
  readonly compactRevision: Integer
  readonly cancelReason: string
  readonly fragment: boolean
  readonly events: readonly { readonly type: number; readonly kv: EtcdKeyValue }[]
}

export function numberOf(value: Integer): number {
  return typeof value === 'number' ? value : value.toNumber()
}

/** The end of the range of all keys that begin with these bytes; a zero byte stands for no end. */
export function rangeEndOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i]! === 0xff) continue
    end[i]! += 1
    return end.subarray(0, i + 1)
  }
  return Buffer.from([0])
}
