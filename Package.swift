// swift-tools-version: 6.2
import PackageDescription

// One target a room (README.md draws them); `scripts/check-imports` fails an import that
// points up. Every target has the same settings, applied in the loop at the end.

/// A room: a library target of this package.
func room(
  _ name: String,
  _ dependencies: [Target.Dependency] = [],
  exclude: [String] = []
)
  -> Target
{
  .target(name: name, dependencies: dependencies, exclude: exclude)
}

/// The tests of one room, in the folder that mirrors it.
func tests(
  _ name: String,
  _ dependencies: [Target.Dependency],
  exclude: [String] = []
)
  -> Target
{
  .testTarget(name: name, dependencies: dependencies, exclude: exclude)
}

let core: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let inProcess: Target.Dependency = .product(
  name: "GRPCInProcessTransport",
  package: "grpc-swift-2"
)
let sockets: Target.Dependency = .product(
  name: "GRPCNIOTransportHTTP2Posix",
  package: "grpc-swift-nio-transport"
)
let grpcProtobuf: Target.Dependency = .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let descriptors: Target.Dependency = .product(
  name: "SwiftProtobufPluginLibrary",
  package: "swift-protobuf"
)
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(
  name: "ServiceLifecycle",
  package: "swift-service-lifecycle"
)
let signals: Target.Dependency = .product(
  name: "UnixSignals",
  package: "swift-service-lifecycle"
)
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioSockets: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser",
  package: "swift-argument-parser"
)
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let configuration: Target.Dependency = .product(
  name: "Configuration",
  package: "swift-configuration"
)

let package = Package(
  name: "gradwatch",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "GradwatchClient", targets: ["GradwatchClient"]),
    .library(name: "TrainingEngine", targets: ["TrainingEngine"]),
    .library(name: "TrainingReports", targets: ["TrainingReports"]),
    .executable(name: "collector", targets: ["collector"]),
    .executable(name: "collector-cli", targets: ["collector-cli"]),
    .executable(name: "training-client", targets: ["training-client"]),
  ],
  dependencies: [
    .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
    // No traits: none of the Foundation stream helpers is used.
    .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0", traits: []),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    // For the system's own words about an address that is taken.
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(
      url: "https://github.com/apple/swift-configuration.git",
      from: "1.4.0",
      // Its reader of YAML passes over what it does not know.
      traits: []
    ),
  ],
  targets: [
    // The floor: value types, and the wire below every room that speaks it.
    room("Telemetry"),
    room("TelemetryWire", ["Telemetry", protobuf, core, grpcProtobuf]),

    // The collector, in the order in which a report passes through it.
    room("Ingest", ["Telemetry"]),
    room("Detection", ["Telemetry"]),
    // Users' rule files.
    room("RuleFile", ["Telemetry", "Detection", yams]),
    .systemLibrary(name: "CZstd"),
    room("RunStore", ["Telemetry", "CZstd", grdb, sqlite], exclude: ["Format.md"]),
    room("Query", ["Telemetry", "RunStore"]),
    room(
      "CollectorService",
      [
        "Telemetry", "TelemetryWire", "Ingest", "Detection", "RunStore", "Query",
        core, grpcProtobuf, protobuf, descriptors, logging, lifecycle,
      ]
    ),

    // The training side.
    .systemLibrary(name: "CBLAS"),
    room(
      "TrainingEngine",
      // Apple's systems have Accelerate.
      [.target(name: "CBLAS", condition: .when(platforms: [.linux]))],
      exclude: ["Experiments.md"]
    ),
    room("GradwatchClient", ["Telemetry", "TelemetryWire", core, grpcProtobuf]),
    // What the engine found, as the client sends it.
    room("TrainingReports", ["Telemetry", "TrainingEngine", "GradwatchClient"]),
    // Recorded runs, for judging rules on them.
    .systemLibrary(name: "CZlib"),
    room("TraceFile", ["Telemetry", "CZlib"]),
    // What a client wrote while it had no collector.
    room("SpoolFile", ["Telemetry", "TelemetryWire", "CZlib", protobuf]),

    // What people see on a terminal: tables, plots, colours. Imports nothing.
    room("TerminalOutput"),

    // The executables: only these build transports.
    .executableTarget(
      name: "collector",
      dependencies: [
        "Telemetry", "RunStore", "CollectorService", core, sockets, logging, lifecycle, signals,
        arguments, configuration, nio, nioSockets, yams,
      ]
    ),
    .executableTarget(
      name: "collector-cli",
      dependencies: [
        "Telemetry", "TelemetryWire", "TraceFile", "SpoolFile", "RuleFile", "GradwatchClient",
        "TerminalOutput", core, grpcProtobuf, protobuf, sockets, arguments,
      ]
    ),
    .executableTarget(
      name: "training-client",
      dependencies: [
        "Telemetry", "TrainingEngine", "TrainingReports", "GradwatchClient", "TerminalOutput",
        core, sockets, arguments,
      ]
    ),
    // An example: a model and data of one's own.
    .executableTarget(
      name: "own-model",
      dependencies: ["Telemetry", "TrainingEngine", "TrainingReports", "GradwatchClient", sockets]
    ),

    // Load for scripts/bench.
    .executableTarget(
      name: "LoadBenchmark",
      dependencies: [
        "Telemetry", "TelemetryTesting", "TelemetryWire", "GradwatchClient", core, grpcProtobuf,
        protobuf, sockets, arguments,
      ],
      path: "Tests/Benchmarks/LoadBenchmark"
    ),
    .executableTarget(
      name: "DetectionBenchmark",
      dependencies: ["Telemetry", "Detection", arguments],
      path: "Tests/Benchmarks/DetectionBenchmark"
    ),
    .executableTarget(
      name: "TrainingBenchmark",
      dependencies: ["Telemetry", "TrainingEngine", "TrainingReports"],
      path: "Tests/Benchmarks/TrainingBenchmark",
      exclude: ["pytorch_reference.py"]
    ),

    // The tests, a target a room; Tests/EndToEnd is in Python.
    .target(
      name: "TelemetryTesting",
      dependencies: ["Telemetry"],
      path: "Tests/TelemetryTesting"
    ),
    .target(
      name: "CollectorTesting",
      dependencies: [
        "Telemetry", "TelemetryWire", "RunStore", "CollectorService", "TelemetryTesting", core,
        inProcess, sockets, grpcProtobuf, protobuf, logging,
      ],
      path: "Tests/CollectorTesting"
    ),
    tests("TelemetryTests", ["Telemetry", "TelemetryTesting"]),
    tests("TelemetryWireTests", ["Telemetry", "TelemetryTesting", "TelemetryWire", protobuf]),
    tests("IngestTests", ["Telemetry", "TelemetryTesting", "Ingest"]),
    tests("DetectionTests", ["Telemetry", "TelemetryTesting", "Detection"]),
    tests("RuleFileTests", ["Telemetry", "TelemetryTesting", "Detection", "RuleFile"]),
    tests(
      "RunStoreTests",
      ["Telemetry", "TelemetryTesting", "RunStore", grdb],
      exclude: ["Fixtures"]
    ),
    tests("QueryTests", ["Telemetry", "TelemetryTesting", "RunStore", "Query"]),
    tests(
      "CollectorServiceTests",
      [
        "Telemetry", "TelemetryWire", "RunStore", "Query", "CollectorService", "TelemetryTesting",
        "CollectorTesting", core, inProcess, sockets, grpcProtobuf, protobuf,
      ]
    ),
    tests("TrainingEngineTests", ["TrainingEngine"], exclude: ["Oracle/make_oracle.py"]),
    tests(
      "GradwatchClientTests",
      [
        "Telemetry", "TelemetryTesting", "TelemetryWire", "GradwatchClient", core, inProcess,
        grpcProtobuf, protobuf,
      ]
    ),
    tests("TraceFileTests", ["Telemetry", "TraceFile", "Ingest"]),
    tests(
      "SpoolFileTests",
      ["Telemetry", "TelemetryTesting", "TelemetryWire", "SpoolFile", "CZlib", protobuf]
    ),
    tests("TerminalOutputTests", ["TerminalOutput"]),

    // Inputs without end for scripts/fuzz; the tests feed a few, and all that ever failed.
    .target(
      name: "Fuzzing",
      dependencies: [
        "Telemetry", "TelemetryTesting", "TelemetryWire", "Ingest", "Detection", "RunStore",
        "RuleFile", "TraceFile", "SpoolFile", "CZlib", protobuf,
      ],
      path: "Tests/Fuzzing/Fuzzing"
    ),
    .executableTarget(
      name: "Fuzz",
      dependencies: ["Fuzzing", "TelemetryTesting", arguments],
      path: "Tests/Fuzzing/Fuzz"
    ),
    .testTarget(
      name: "FuzzingTests",
      dependencies: ["Fuzzing", "TelemetryTesting"],
      path: "Tests/Fuzzing/FuzzingTests"
    ),
  ]
)

// A system library has no Swift of ours.
for target in package.targets where target.type != .system {
  target.swiftSettings = [
    .swiftLanguageMode(.v6),
    // SE-0335: an existential is written `any`.
    .enableUpcomingFeature("ExistentialAny"),
    // SE-0409: an import is internal unless it says otherwise.
    .enableUpcomingFeature("InternalImportsByDefault"),
    // SE-0444: a member is seen only through its own module's import.
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
  ]
}
