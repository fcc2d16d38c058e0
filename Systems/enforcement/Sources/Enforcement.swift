public import Flow

/// The Swift of the enforcement system: the limits of vehicles and the monthly assessment of officers.
public enum Enforcement {
    public static let code = SystemCode(
        pack: "enforcement",
        functions: [OverloadLimits.massLimit, OverloadLimits.overloadFine],
        work: [.init("assess_officers", OfficerAssessment.run)]
    )
}
