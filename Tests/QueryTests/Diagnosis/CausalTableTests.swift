import Query
import Telemetry
import Testing

@Suite("What can bring about what")
struct CausalTableTests {
  @Test("every relation is between two rules that exist, and says how sure it is and why")
  func wellFormed() {
    let rules = Set(Case.rules)
    let relations = CausalRelation.all.values.flatMap(\.values)
    #expect(relations.count > 100)
    for relation in relations {
      let name = "\(relation.cause) to \(relation.effect)"
      #expect(rules.contains(relation.cause.rawValue), "\(name)")
      #expect(rules.contains(relation.effect.rawValue), "\(name)")
      #expect(relation.cause != relation.effect, "\(name)")
      #expect((0.3...0.95).contains(relation.strength), "\(name)")
      #expect(!relation.reason.isEmpty && relation.reason.first?.isLowercase == true, "\(name)")
      #expect(!relation.reason.hasSuffix("."), "\(name)")
    }
  }

  @Test("every pair of rules that may cause each other has an order where both begin at one step")
  func mutual() {
    for (cause, effects) in CausalRelation.all {
      for (effect, relation) in effects {
        guard let reverse = CausalRelation.all[effect]?[cause] else { continue }
        #expect(relation.strength != reverse.strength, "\(cause) and \(effect)")
      }
    }
  }
}
