// The part of containerd's native API that the agent speaks, as .proto text: CRI has no events in containerd 1.6, and its
// exec never delivers the end of standard input. Field numbers are containerd's (api/services/…/v1, 1.6 to 2.x).

const wellKnown = `
syntax = "proto3";
package google.protobuf;
message Any { string type_url = 1; bytes value = 2; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Empty {}
`

const tasks = `
syntax = "proto3";
package containerd.services.tasks.v1;
service Tasks {
  rpc Start(StartRequest) returns (StartResponse);
  rpc Delete(DeleteTaskRequest) returns (DeleteResponse);
  rpc DeleteProcess(ProcessRequest) returns (DeleteResponse);
  rpc Get(ProcessRequest) returns (GetResponse);
  rpc Kill(KillRequest) returns (google.protobuf.Empty);
  rpc Exec(ExecProcessRequest) returns (google.protobuf.Empty);
  rpc ResizePty(ResizePtyRequest) returns (google.protobuf.Empty);
  rpc CloseIO(CloseIORequest) returns (google.protobuf.Empty);
  rpc Wait(ProcessRequest) returns (WaitResponse);
}
message ProcessRequest { string container_id = 1; string exec_id = 2; }
message DeleteTaskRequest { string container_id = 1; }
message StartRequest { string container_id = 1; string exec_id = 2; }
message StartResponse { uint32 pid = 1; }
message DeleteResponse { string id = 1; uint32 pid = 2; uint32 exit_status = 3; google.protobuf.Timestamp exited_at = 4; }
message Process {
  string container_id = 1; string id = 2; uint32 pid = 3; Status status = 4; string stdin = 5; string stdout = 6;
  string stderr = 7; bool terminal = 8; uint32 exit_status = 9; google.protobuf.Timestamp exited_at = 10;
}
enum Status { UNKNOWN = 0; CREATED = 1; RUNNING = 2; STOPPED = 3; PAUSED = 4; PAUSING = 5; }
message GetResponse { Process process = 1; }
message KillRequest { string container_id = 1; string exec_id = 2; uint32 signal = 3; bool all = 4; }
message ExecProcessRequest {
  string container_id = 1; string stdin = 2; string stdout = 3; string stderr = 4; bool terminal = 5;
  google.protobuf.Any spec = 6; string exec_id = 7;
}
message ResizePtyRequest { string container_id = 1; string exec_id = 2; uint32 width = 3; uint32 height = 4; }
message CloseIORequest { string container_id = 1; string exec_id = 2; bool stdin = 3; }
message WaitResponse { uint32 exit_status = 1; google.protobuf.Timestamp exited_at = 2; }
`

const containers = `
syntax = "proto3";
package containerd.services.containers.v1;
service Containers { rpc Get(GetContainerRequest) returns (GetContainerResponse); }
message GetContainerRequest { string id = 1; }
message GetContainerResponse { Container container = 1; }
message Container { string id = 1; map<string, string> labels = 2; string image = 3; google.protobuf.Any spec = 5; }
`

const events = `
syntax = "proto3";
package containerd.services.events.v1;
service Events { rpc Subscribe(SubscribeRequest) returns (stream Envelope); }
message SubscribeRequest { repeated string filters = 1; }
message Envelope { google.protobuf.Timestamp timestamp = 1; string namespace = 2; string topic = 3; google.protobuf.Any event = 4; }
`

const snapshots = `
syntax = "proto3";
package containerd.services.snapshots.v1;
service Snapshots {
  rpc View(ViewSnapshotRequest) returns (ViewSnapshotResponse);
  rpc Mounts(MountsRequest) returns (MountsResponse);
  rpc Remove(RemoveSnapshotRequest) returns (google.protobuf.Empty);
}
message Mount { string type = 1; string source = 2; string target = 3; repeated string options = 4; }
message ViewSnapshotRequest { string snapshotter = 1; string key = 2; string parent = 3; map<string, string> labels = 4; }
message ViewSnapshotResponse { repeated Mount mounts = 1; }
message MountsRequest { string snapshotter = 1; string key = 2; }
message MountsResponse { repeated Mount mounts = 1; }
message RemoveSnapshotRequest { string snapshotter = 1; string key = 2; }
`

const eventTypes = `
syntax = "proto3";
package containerd.events;
message TaskStart { string container_id = 1; uint32 pid = 2; }
message TaskExit { string container_id = 1; string id = 2; uint32 pid = 3; uint32 exit_status = 4; google.protobuf.Timestamp exited_at = 5; }
message TaskOOM { string container_id = 1; }
message TaskDelete { string container_id = 1; uint32 pid = 2; uint32 exit_status = 3; google.protobuf.Timestamp exited_at = 4; string id = 5; }
`

/** For `GrpcClientOptions.proto`. */
export const containerdProto: readonly string[] = [wellKnown, tasks, containers, snapshots, events, eventTypes]
