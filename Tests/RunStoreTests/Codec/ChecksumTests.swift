import RunStore
import Testing

@Suite("Checksum")
struct ChecksumTests {
  // The bytes (7 i + 1) mod 256 for i below the length; values of python-xxhash 3.6.0.
  @Test(
    "equals XXH64 of the reference implementation at every path's edge",
    arguments: [
      (0, 0xef46_db37_51d8_e999), (1, 0x8a41_2781_1b21_e730), (3, 0xb6e6_c910_c2fd_373a),
      (4, 0x22ed_a2cf_6af4_c124), (8, 0xc6f1_803a_5e0b_3222), (12, 0x9178_b724_dce3_84c0),
      (31, 0x6ab1_c40e_29f5_0073), (32, 0x5a07_56fb_e9ec_d3d1), (33, 0xdc50_cdc3_7bb9_c183),
      (63, 0x10dd_9488_5c71_894a), (64, 0x9008_3da9_cdb9_d795), (100, 0xd248_bfc5_208b_0b16),
    ] as [(Int, UInt64)]
  )
  func reference(length: Int, expected: UInt64) {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
    bytes.withUnsafeBytes { bytes in
      #expect(Checksum.xxh64(bytes) == expected)
      #expect(Checksum.of(bytes) == UInt32(truncatingIfNeeded: expected))
    }
  }
}
