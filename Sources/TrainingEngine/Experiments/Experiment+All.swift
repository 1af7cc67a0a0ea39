extension Experiment {
  /// All experiments: each fault before its fixes.
  public static let all = [
    sigmoidMoons, reluMoons, shallowMoons, glorotSigmoidMoons, adamSigmoidMoons,
    normalizedSigmoidMoons,
    explodingRegression, clippedAloneRegression, glorotReLURegression, clippedRegression,
    glorotTanhRegression,
    penalizedRegression, scaledRegression,
    deepSigmoid, deepSigmoidAdam, deepSigmoidToReLU, deepSigmoidToGELU, deepSigmoidToSiLU,
    deepSigmoidNormalized,
    deepSigmoidResidual, deepSigmoidShallow, deepTanh, deepTanhResidual, deepResidualReLU,
    deepResidualNormalized,
    fiftyHe, fiftyXavier, fiftyXavierToHe, fiftyXavierNormalized, tinyWeights, tinyWeightsToHe,
    shrinkingRecurrence, shrinkingRecurrenceLongShort, shrinkingRecurrenceGated,
    shrinkingRecurrenceRemembering, shrinkingRecurrenceGatedRemembering,
    growingRecurrence, growingRecurrenceClipped, growingRecurrenceLongShort,
    growingRecurrenceTruncated,
    growingRecurrenceNormalized,
    hotTransformer, warmTransformer, preNormTransformer, veryHotTransformer, coolTransformer,
    largeBatchImages, smallBatchImages, groupNormImages, accumulatedImages, clippedImages,
    badlyInitializedClippedImages, sequenceConvolutions,
    deadReLU, deadReLULowerRate, deadReLUToLeaky, chainOfSigmoids, chainOfGains, highRate,
    highRateWarmedUp, lowRate,
    healthyClusters, jumpingGradient, collapsedGradient, longTailedGradient,
    underflowingGradient, rescuedGradient, scaledGradients, skippedSteps,
    frozenBackbone, cosineTail,
    warmUp, nanOnOneRank,
  ]
}
