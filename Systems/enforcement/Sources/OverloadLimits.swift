import Basics
import CQL
import Tabular

/// When a vehicle on a road is over the limit by its mass, and the fine for it: 超限运输车辆行驶公路管理规定 (2016), articles 3 and 43.
///
/// Licences, axles with single tyres and vehicles that conform to GB 1589 otherwise make exceptions, which officers judge.
enum OverloadLimits {
    /// The limit in kilograms; nil for axles that the article does not name for such a vehicle.
    static func limit(axles: Int64, isTrain: Bool, hasSingleDrive: Bool) -> Int64? {
        switch (isTrain, axles) {
        case (false, 2): 18_000
        case (false, 3): 25_000
        // A truck has four axles at the most.
        case (false, 4): 31_000
        case (true, 3): 27_000
        case (true, 4): 36_000
        case (true, 5): 43_000
        case (true, 6...): hasSingleDrive ? 46_000 : 49_000
        default: nil
        }
    }

    /// The fine in yuan for so many kilograms: up to 1,000 too many are warned of, more cost 500 yuan for each whole 1,000, 30,000 at the most.
    static func fine(mass: Int64, limit: Int64) -> Int64 {
        let over = mass - limit
        return over <= 1000 ? 0 : min(over / 1000 * 500, 30_000)
    }

    static let train = "汽车列车"

    /// `mass_limit(axles, vehicle_form, single_drive)`.
    static let massLimit = AddedFunction(
        "mass_limit",
        .init("车货总质量限值（千克）：轴数、货车或汽车列车、是否单轴驱动", "mass limit, kg: axles, truck or train, single drive axle"),
        [.integer, .text, .boolean],
        .integer
    ) { values in
        guard case .integer(let axles) = values[0], case .text(let form) = values[1],
            case .boolean(let single) = values[2],
            let limit = limit(axles: axles, isTrain: form == train, hasSingleDrive: single)
        else { return .null }
        return .integer(limit)
    }

    /// `overload_fine(mass, limit)`.
    static let overloadFine = AddedFunction(
        "overload_fine",
        .init("超限罚款上限（元）：车货总质量、限值", "highest fine for the mass, yuan: mass, limit"),
        [.integer, .integer],
        .integer
    ) { values in
        guard case .integer(let mass) = values[0], case .integer(let limit) = values[1], mass >= 0, mass < 10_000_000
        else { return .null }
        return .integer(fine(mass: mass, limit: limit))
    }
}
