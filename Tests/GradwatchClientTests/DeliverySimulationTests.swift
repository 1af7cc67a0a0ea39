import GradwatchClient
import Telemetry
import TelemetryTesting
import Testing

/// A collector and a wire that lose whatever may be lost, against the client's pure part.
private struct Simulation {
  var machine: DeliveryMachine
  var generator: SeededGenerator
  /// Steps that the collector holds, in order of acceptance.
  var stored: [UInt64] = []
  /// How many of `stored`, and which last number, are durable.
  var durableCount = 0
  var durableSequence: UInt64 = 0
  var sequence: UInt64 = 0
  /// Reports on their way to the collector, and acks on their way back.
  var pipe: [(sequence: UInt64, step: UInt64)] = []
  var answers: [Answer] = []
  var isConnected = false
  /// Steps that the collector does not take, and those of them that came.
  var refusedSteps: Set<UInt64> = []
  var seenRefusedSteps: Set<UInt64> = []
  var nextStep: UInt64 = 0
  /// Numbers of the last report sent on this stream, and of the last that the client knows to be
  /// durable.
  var lastSent: UInt64 = 0
  var lastAcked: UInt64 = 0
  /// The gap that was told, and is still open.
  var toldGap: UInt64?
  let credits: UInt32 = 5

  enum Answer {
    case ack(UInt64, [UInt64])
    case gap(UInt64)
  }

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    var limits = DeliveryLimits()
    limits.bufferedReports = 12
    machine = DeliveryMachine(limits: limits)
  }

  mutating func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &generator) < percent
  }

  /// The client's next task, or a piece of what happens on an open stream.
  mutating func advance(breaksAllowed: Bool) throws {
    if !isConnected {
      switch machine.nextTask {
      case .register:
        if breaksAllowed, chance(30) {
          _ = machine.interrupted(.transient("no"))
        } else {
          machine.registered()
        }
      case .openStream:
        if breaksAllowed, chance(30) {
          _ = machine.interrupted(.transient("no"))
        } else {
          open()
        }
      case .pause: machine.resumed()
      case .stop: break
      }
      return
    }
    if breaksAllowed, chance(3) {
      disconnect()
      return
    }
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: send()
    case 1: receiveReport(gapsAllowed: breaksAllowed)
    case 2: commit()
    default: try receiveAnswer()
    }
  }

  private mutating func open() {
    isConnected = true
    pipe = []
    answers = []
    toldGap = nil
    // What was accepted is settled before a stream opens: all of it became durable, or none.
    if chance(50) {
      commit()
      answers = []
    } else {
      stored.removeSubrange(durableCount...)
      sequence = durableSequence
    }
    lastSent = sequence
    lastAcked = sequence
    _ = machine.streamOpened(lastSequence: sequence, credits: credits, alertCursor: 0)
  }

  private mutating func disconnect() {
    isConnected = false
    // What is on the wire may still arrive, any part of it.
    while let first = pipe.first, chance(60) {
      pipe.removeFirst()
      accept(first.sequence, first.step)
    }
    _ = machine.interrupted(.transient("gone"))
  }

  private mutating func send() {
    guard case .report(let sequence, let entry) = machine.nextMessage() else { return }
    #expect(sequence == lastSent + 1)
    lastSent = sequence
    #expect(lastSent - lastAcked <= UInt64(credits))
    pipe.append((sequence, entry.pending.report.step))
  }

  private mutating func receiveReport(gapsAllowed: Bool) {
    guard !pipe.isEmpty else { return }
    let (number, step) = pipe.removeFirst()
    if gapsAllowed, number == sequence + 1, chance(2), !pipe.isEmpty {
      // The collector lost this one by a fault of its own.
      return
    }
    accept(number, step)
  }

  private mutating func accept(_ number: UInt64, _ step: UInt64) {
    if number == sequence + 1 {
      sequence = number
      toldGap = nil
      if refusedSteps.contains(step) {
        seenRefusedSteps.insert(step)
        answers.append(.ack(durableSequence, [number]))
      } else {
        stored.append(step)
      }
    } else if number > sequence + 1 {
      guard toldGap != sequence + 1 else { return }
      toldGap = sequence + 1
      answers.append(.gap(sequence + 1))
    } else {
      answers.append(.ack(durableSequence, []))
    }
  }

  private mutating func commit() {
    durableCount = stored.count
    durableSequence = sequence
    answers.append(.ack(durableSequence, []))
  }

  private mutating func receiveAnswer() throws {
    guard !answers.isEmpty else { return }
    do {
      switch answers.removeFirst() {
      case .ack(let number, let refused):
        for number in refused { _ = machine.refused(number, field: "", reason: "") }
        _ = try machine.acknowledged(through: number, credits: credits)
        lastAcked = max(lastAcked, number)
      case .gap(let expected):
        try machine.gapFound(expected: expected)
        lastSent = expected - 1
      }
    } catch {
      isConnected = false
      _ = machine.interrupted(error)
    }
  }
}

@Suite("Delivery over a connection that breaks")
struct DeliverySimulationTests {
  @Test(
    "what the collector accepted is there once, in order, whatever breaks",
    arguments: 1...200 as ClosedRange<UInt64>
  )
  func exactlyOnce(seed: UInt64) throws {
    var simulation = Simulation(seed: seed)
    let steps: UInt64 = 150
    simulation.refusedSteps = [3, 4, 50, 149]
    while simulation.nextStep < steps {
      if simulation.chance(30) {
        simulation.machine.report(
          PendingReport(
            StepReport(
              sequence: 0,
              scalars: StepScalars(step: simulation.nextStep, wallTime: WallTime(clamping: 1))
            )
          )
        )
        simulation.nextStep += 1
      }
      try simulation.advance(breaksAllowed: true)
    }
    var turns = 0
    while simulation.machine.status.pending > 0, turns < 10_000 {
      try simulation.advance(breaksAllowed: false)
      turns += 1
    }
    let status = simulation.machine.status
    #expect(status.pending == 0, "seed \(seed)")
    #expect(
      status.delivered + status.refused + status.dropped == steps,
      "seed \(seed)"
    )
    let stored = simulation.stored
    let refused = UInt64(simulation.seenRefusedSteps.count)
    #expect(UInt64(stored.count) + status.dropped + refused == steps, "seed \(seed)")
    // A refusal that is lost together with its stream looks like a report that became durable.
    #expect(status.refused <= refused, "seed \(seed)")
    #expect(zip(stored, stored.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed): \(stored)")
    #expect(simulation.refusedSteps.isDisjoint(with: stored), "seed \(seed)")
  }
}
