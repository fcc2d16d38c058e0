#!/usr/bin/env python3
"""Makes the CSV files of the demonstration pack jingjinji. Deterministic: the same files every time.

Every record is invented. Positions are scattered along rough lines through Beijing, Tianjin and Hebei (WGS-84).
Usage: python3 generate.py [folder of the pack]
"""

import csv
import datetime as dt
import io
import pathlib
import random
import sys

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent) / "data"
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"


def write(name, header, rows):
    """UTF-8 without mark, LF, the header row first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header.split(","))
    for row in rows:
        assert len(row) == len(header.split(",")), (name, row)
        writer.writerow(["" if cell is None else cell for cell in row])
    (FOLDER / name).write_bytes(out.getvalue().encode())


def chance(name):
    """A sequence of its own for every file, so that a change in one leaves the others as they are."""
    return random.Random("jingjinji/" + name)


def along(line, r, spread=0.004):
    """A point on a broken line, and its share of the way."""
    lengths = [((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5 for a, b in zip(line, line[1:])]
    share = r.random()
    rest = share * sum(lengths)
    for (a, b), length in zip(zip(line, line[1:]), lengths):
        if rest <= length:
            t = rest / length
            break
        rest -= length
    else:
        a, b, t = line[-2], line[-1], 1
    x = a[0] + (b[0] - a[0]) * t + r.uniform(-spread, spread)
    y = a[1] + (b[1] - a[1]) * t + r.uniform(-spread, spread)
    return f"{x:.6f}", f"{y:.6f}", share


def near(x, y, r, spread):
    return f"{x + r.uniform(-spread, spread):.6f}", f"{y + r.uniform(-spread, spread):.6f}"


def person(r):
    return r.choice(SURNAMES) + r.choice(["某", "某某"])


def phone(r):
    return f"1390000{r.randrange(10000):04d}"


def stake(share, length, start=0):
    metres = int((start + share * length) * 1000)
    return f"K{metres // 1000}+{metres % 1000:03d}"


def day(text):
    return dt.date.fromisoformat(text)


def plate(r, letters, used=None):
    while True:
        text = letters[0] + r.choice(letters[1:]) + r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") + f"{r.randrange(10000):04d}"
        if used is None or text not in used:
            if used is not None:
                used.add(text)
            return text


# Roads of Tianjin: number, name, kilometres, rough line, division of each part.
TIANJIN = [
    ("G103", "京滨公路", 86, [(116.952, 39.618), (117.048, 39.383), (117.131, 39.228), (117.312, 39.092), (117.640, 39.030)],
     ["120114", "120113", "120110", "120116"]),
    ("G104", "京岚公路", 62, [(117.020, 39.085), (116.935, 38.945), (116.968, 38.722)], ["120111", "120118"]),
    ("G205", "山深公路", 94, [(117.815, 39.335), (117.802, 39.245), (117.660, 39.060), (117.462, 38.850)],
     ["120117", "120116", "120116"]),
    ("S101", "津围公路", 96, [(117.198, 39.222), (117.308, 39.718), (117.408, 40.038)], ["120113", "120119"]),
    ("S214", "津芦公路", 58, [(117.290, 39.150), (117.560, 39.260), (117.815, 39.335)], ["120110", "120117"]),
    ("S207", "津淄公路", 44, [(117.190, 39.060), (117.130, 38.960), (117.150, 38.780)], ["120111", "120118"]),
]
TIANJIN_EXPRESSWAYS = [
    ("G2", "京沪高速", 102, [(116.868, 39.478), (116.990, 39.300), (117.005, 39.080), (116.992, 38.790)]),
    ("G18", "荣乌高速", 84, [(117.480, 38.800), (117.150, 38.930), (116.870, 38.950)]),
    ("G25", "长深高速", 76, [(117.900, 39.520), (117.770, 39.290), (117.600, 39.020), (117.480, 38.780)]),
    ("S30", "京津高速", 98, [(116.942, 39.555), (117.250, 39.362), (117.620, 39.182)]),
    ("S40", "京津塘高速", 101, [(116.930, 39.590), (117.052, 39.322), (117.230, 39.192), (117.640, 39.068)]),
]
HEBEI = [
    ("G4", 460, [(115.972, 39.485), (115.492, 38.872), (115.002, 38.522), (114.582, 38.050), (114.552, 37.070), (114.532, 36.620)],
     ["130600", "130600", "130100", "130500", "130400"]),
    ("G1", 270, [(117.002, 39.762), (117.742, 39.882), (118.182, 39.702), (118.852, 39.882), (119.552, 39.952)],
     ["131000", "130200", "130200", "130300"]),
    ("G5", 210, [(115.712, 39.392), (115.250, 38.900), (114.352, 38.102), (114.142, 38.032)], ["130600", "130600", "130100"]),
    ("G18", 190, [(116.392, 39.132), (115.952, 39.052), (115.652, 39.022), (114.702, 39.352)], ["131000", "130600", "130600"]),
    ("G45", 560, [(117.932, 40.952), (117.332, 40.932), (116.302, 39.442), (115.672, 37.732)], ["130800", "130800", "131100"]),
    ("G6", 180, [(115.700, 40.380), (115.050, 40.620), (114.520, 40.780)], ["130700", "130700"]),
    ("G107", 420, [(115.980, 39.470), (115.480, 38.860), (114.530, 38.060), (114.500, 37.080)], ["130600", "130600", "130100"]),
]
HEBEI_CITIES = {
    "130100": "石家庄", "130200": "唐山", "130300": "秦皇岛", "130400": "邯郸", "130500": "邢台", "130600": "保定", "130700": "张家口",
    "130800": "承德", "130900": "沧州", "131000": "廊坊", "131100": "衡水",
}
HEBEI_LETTERS = {
    "130100": "冀A", "130200": "冀B", "130300": "冀C", "130400": "冀D", "130500": "冀E", "130600": "冀F", "130700": "冀G",
    "130800": "冀H", "130900": "冀J", "131000": "冀R", "131100": "冀T",
}
WORDS = ["通达", "顺安", "远航", "众诚", "恒运", "捷利", "瑞丰", "鸿泰", "平顺", "广源", "联运", "安行"]


def company(r, city, kinds):
    """Plainly no real one: 示范 and a number."""
    return f"{city}示范{r.choice(WORDS)}{r.choice(kinds)}有限公司({r.randrange(1, 100):02d})"


def checkpoints():
    r = chance("checkpoints")
    header = "id,name,route,stake,direction,division,lanes,status,longitude,latitude"
    rows = []
    for index in range(1, 181):
        route, name, length, line, parts = TIANJIN[index % len(TIANJIN)]
        x, y, share = along(line, r)
        division = parts[min(int(share * len(parts)), len(parts) - 1)]
        at = stake(share, length)
        status = "停用" if index % 29 == 0 else "在建" if index % 53 == 0 else "在用"
        direction = r.choice(["上行", "下行"])
        rows.append([f"ZK{10000 + index}", f"{name}{at.split('+')[0]}{direction}卡口", route, at, direction, division,
                     r.choice([2, 2, 3, 4, 4, 6]), status, x, y])
    good = {row[0]: list(row) for row in rows}
    fixed = []
    for index, column, wrong in [(24, 6, "六"), (59, 6, "双向四"), (101, 6, "四"), (160, 6, "40"), (37, 8, "217.660000"),
                                 (118, 8, "17.312000"), (83, 1, "")]:
        row = rows[index - 1]
        fixed.append(good[row[0]])
        row[column] = wrong
    rows[141][7] = "启用"
    rows[171][0] = rows[170][0]
    write("checkpoints.csv", header, rows)
    write("checkpoints-fix.csv", header, fixed)


def traffic_counts():
    r = chance("traffic-counts")
    header = "station,station_name,route,hour,small,coach,truck,total,speed"
    shape = [18, 12, 9, 9, 14, 32, 62, 96, 100, 84, 76, 72, 66, 70, 74, 78, 86, 100, 92, 68, 50, 42, 34, 26]
    rows = []
    for index in range(12):
        route, name, *_ = (TIANJIN + TIANJIN_EXPRESSWAYS)[index % 11]
        base = r.randrange(500, 2600)
        for date in range(7):
            for hour in range(24):
                weekend = 0.78 if date >= 5 else 1
                flow = base * shape[hour] / 100 * weekend * r.uniform(0.88, 1.12)
                night = 0.42 if hour < 6 or hour > 21 else 0.2
                truck = int(flow * night * r.uniform(0.8, 1.2))
                coach = int(flow * 0.04 * r.uniform(0.6, 1.4))
                small = max(0, int(flow) - truck - coach)
                speed = (92 if route[0] == "G" and len(route) < 4 else 62) - 22 * flow / base * r.uniform(0.7, 1.1)
                rows.append([f"JD{index + 1:03d}", f"{name}{index + 1}号站", route, f"2026-11-{2 + date:02d} {hour:02d}:00:00",
                             small, coach, truck, small + coach + truck, f"{speed:.1f}"])
    spots = r.sample(range(24, len(rows)), 40)
    for index in spots[:14]:
        rows[index][7] += r.choice([-1000, -100, 10, 100, 900])
    for index in spots[14:23]:
        rows[index][8] = f"{r.randrange(2100, 9999) / 10:.1f}"
    for index in spots[23:32]:
        rows[index][7] = ""
    # Repeats of the hour before at the same station.
    taken = set(spots[:32])
    repeats = [i for i in range(26, len(rows)) if rows[i][0] == rows[i - 1][0] and not {i, i - 1} & taken]
    chosen = sorted(r.sample(repeats[::9], 8))
    for index in chosen:
        rows[index] = list(rows[index - 1])
    # The station that a remark of the public names has wrong sums.
    write("traffic-counts.csv", header, rows)


def bridges():
    r = chance("bridges")
    header = "id,name,kind,route,stake,division,length,width,built,rating,inspected,longitude,latitude"
    rivers = ["清源河", "柳溪", "白石沟", "安平渠", "长河子", "望山河", "东沙河", "北洼渠", "青岗河", "双桥河"]
    hills = ["青云岭", "白草岭", "望北山", "松林梁", "石门岭", "花果沟"]
    rows = []
    for index in range(1, 151):
        route, length, line, parts = HEBEI[index % len(HEBEI)]
        x, y, share = along(line, r)
        division = parts[min(int(share * len(parts)), len(parts) - 1)]
        tunnel = route in ("G5", "G6", "G18", "G45") and r.random() < 0.3
        built = r.randrange(1986, 2025)
        age = 2026 - built
        rating = "12345"[min(4, int(max(0, r.gauss(age / 17, 0.6))))]
        name = f"示范{r.choice(hills)}{index}号隧道" if tunnel else f"示范{r.choice(rivers)}{index}号桥"
        # One to three years between inspections; some are overdue.
        inspected = day("2026-10-20") - dt.timedelta(days=int(r.random() ** 2 * 1100))
        size = r.uniform(180, 4200) if tunnel else r.choice([r.uniform(8, 30), r.uniform(30, 100), r.uniform(100, 900)])
        rows.append([("S" if tunnel else "Q") + f"{130000 + index}", name, "隧道" if tunnel else "桥梁", route, stake(share, length, 5),
                     division, f"{size:.2f}", f"{r.choice([7.5, 9, 11.25, 12, 16.5, 25.5]):.2f}", built, rating, inspected, x, y])
    write("bridges.csv", header, rows)


def bus_stops():
    r = chance("bus-stops")
    header = "id,name,heading,lines,line_count,division,shelter,display,longitude,latitude"
    streets = ["祥云路", "文澜街", "春晖大街", "槐花路", "长桥街", "和风路", "书院街", "新苑路", "北辰里", "南湖道", "锦绣街", "望岳路"]
    kinds = ["路口", "小区", "中学", "医院", "市场", "公园", "地铁站", "东口", "西口"]
    districts = [("130102", 114.545, 38.065), ("130104", 114.455, 38.020), ("130105", 114.462, 38.070), ("130108", 114.535, 38.010)]
    rows = []
    for pair in range(120):
        division, x0, y0 = districts[pair % 4]
        name = f"示范{streets[pair % 12]}{kinds[pair // 12 % 9]}"
        x, y = x0 + r.uniform(-0.045, 0.045), y0 + r.uniform(-0.028, 0.028)
        lines = sorted(r.sample(range(901, 930), r.randrange(1, 7)))
        upright = r.random() < 0.5
        for side in range(2):
            heading = [["东向", "西向"], ["南向", "北向"]][upright][side]
            offset = 0.0003 * (1 - 2 * side)
            rows.append([f"GJ{10001 + pair * 2 + side}", name, heading, ";".join(f"示范{n}路" for n in lines), len(lines), division,
                         "true" if r.random() < 0.7 else "false", "true" if r.random() < 0.35 else "false",
                         f"{x + (offset if upright else 0):.6f}", f"{y + (0 if upright else offset):.6f}"])
    write("bus-stops.csv", header, rows)


def station_passengers():
    header = "station_id,station,division,day,departures,passengers,online_share,weather,longitude,latitude"
    stations = [
        ("东郊示范客运站", "110105", 116.512, 39.905), ("南郊示范客运站", "110106", 116.402, 39.842),
        ("西郊示范客运站", "110106", 116.308, 39.886), ("北郊示范客运站", "110105", 116.402, 40.012),
        ("通州示范客运站", "110112", 116.662, 39.902), ("大兴示范客运站", "110115", 116.340, 39.732),
        ("昌平示范客运站", "110114", 116.232, 40.220), ("顺义示范客运站", "110113", 116.652, 40.130),
        ("房山示范客运站", "110111", 116.142, 39.745), ("怀柔示范客运站", "110116", 116.632, 40.318),
    ]
    for month, days, faults in [("2026-08", 31, 18), ("2026-09", 30, 9), ("2026-10", 31, 2)]:
        r = chance("station-passengers/" + month)
        rows = []
        for number, (name, division, x, y) in enumerate(stations):
            base = 190 - 14 * number
            for date in range(1, days + 1):
                today = day(f"{month}-{date:02d}")
                holiday = month == "2026-10" and date <= 7
                peak = 1.7 if holiday else 1.25 if today.weekday() in (4, 6) else 1
                weather = "停班" if r.random() < 0.006 else "轻微" if r.random() < 0.06 else "无"
                departures = 0 if weather == "停班" else int(base * peak * r.uniform(0.9, 1.1))
                passengers = int(departures * r.uniform(16, 30 if not holiday else 38))
                rows.append([f"KY{101 + number}", name, division, today, departures, passengers,
                             f"{r.uniform(48, 76) + (month > '2026-09') * 2:.1f}", weather, f"{x:.6f}", f"{y:.6f}"])
        spots = r.sample(range(1, len(rows)), faults)
        for turn, index in enumerate(spots):
            row = rows[index]
            match turn % 6:
                case 0: row[5] = ""
                case 1: row[6] = f"{r.randrange(1010, 4000) / 10:.1f}"
                case 2: row[5] = (row[4] or 50) * 100 + 99
                case 3: row[7] = "雨"
                case 4: row[3] = row[3].strftime("%Y年%-m月%-d日")
                case 5: row[4] = f"约{row[4]}"
        write(f"station-passengers-{month}.csv", header, rows)


AREAS = [
    ("北疆港区", "集装箱", 117.742, 38.992, 10), ("北疆港区", "件杂货", 117.722, 38.985, 8), ("东疆港区", "集装箱", 117.808, 39.008, 8),
    ("东疆港区", "客运", 117.832, 38.988, 2), ("南疆港区", "干散货", 117.748, 38.952, 9), ("南疆港区", "液体散货", 117.778, 38.950, 7),
    ("大沽口港区", "液体散货", 117.722, 38.912, 5), ("高沙岭港区", "干散货", 117.688, 38.838, 4), ("大港港区", "液体散货", 117.612, 38.668, 5),
    ("北疆港区", "滚装", 117.760, 38.978, 4),
]


def berths():
    r = chance("berths")
    header = "id,name,area,use,length,depth,capacity,cranes,opened,longitude,latitude"
    rows = []
    for area, use, x, y, count in AREAS:
        for index in range(count):
            capacity = r.choice({"集装箱": [70000, 100000, 150000, 200000], "客运": [100000, 150000], "滚装": [50000, 70000],
                                 "件杂货": [10000, 30000, 50000]}.get(use, [50000, 100000, 200000]))
            depth = 9.5 + capacity / 18000 + r.uniform(-0.4, 0.6)
            number = len(rows) + 1
            rows.append([f"BW{number:03d}", f"示范{area[:-2]}{number}号泊位", area, use, f"{180 + capacity / 700 + r.uniform(-20, 30):.1f}",
                         f"{min(depth, 21.5):.1f}", capacity, r.randrange(2, 6) if use == "集装箱" else r.randrange(0, 4),
                         day("1996-03-01") + dt.timedelta(days=r.randrange(10200)), f"{x + index * 0.0031:.6f}",
                         f"{y + index * 0.0006 + r.uniform(-0.0003, 0.0003):.6f}"])
    write("berths.csv", header, rows)
    return rows


def throughput():
    r = chance("throughput")
    header = "month,area,trade,direction,teu,laden,empty,weight"

    def month(year, number):
        season = [0.9, 0.72, 0.98, 1.0, 1.04, 1.05, 1.06, 1.08, 1.05, 1.0, 1.0, 0.96][number - 1] * (1.04 if year == 2026 else 1)
        rows = []
        for area, share in [("北疆港区", 1.0), ("东疆港区", 0.62)]:
            for trade, part in [("内贸", 0.46), ("外贸", 0.54)]:
                for direction in ["进港", "出港"]:
                    teu = int(81234 * season * share * part * r.uniform(0.94, 1.06))
                    empty = int(teu * (0.34 if (trade, direction) == ("外贸", "进港") else 0.18) * r.uniform(0.85, 1.15))
                    laden = teu - empty
                    rows.append([f"{year}-{number:02d}", area, trade, direction, teu, laden, empty, f"{laden * 12.4 * r.uniform(0.95, 1.05) / 1e4:.2f}"])
        return rows

    rows = [row for year, last in [(2025, 12), (2026, 7)] for number in range(1, last + 1) for row in month(year, number)]
    write("throughput.csv", header, rows)
    write("throughput-2026-08.csv", header, month(2026, 8))
    write("throughput-2026-09.csv", header, month(2026, 9))


def licences():
    r = chance("licences")
    header = "number,business,division,scope,vehicles,issued,valid_until,status"
    rows = []
    for index in range(1, 161):
        division, city = r.choice(list(HEBEI_CITIES.items()))
        scope = r.choice(["普通货物运输"] * 5 + ["旅客运输"] * 3 + ["危险货物运输"] * 2 + ["客运站经营"])
        issued = day("2022-11-28") + dt.timedelta(days=r.randrange(1400))
        years = 4 if scope != "旅客运输" else 6
        business = f"{city}示范{WORDS[index % 12]}{'客运站' if scope == '客运站经营' else '客运' if scope == '旅客运输' else '危货运输' if scope[0] == '危' else '货运'}有限公司({index:03d})"
        rows.append([f"{division}{700000 + index}", business, division, scope,
                     0 if scope == "客运站经营" else r.randrange(3, 260), issued, issued.replace(year=issued.year + years, day=min(issued.day, 28)),
                     "注销" if index % 41 == 0 else "暂停" if index % 37 == 0 else "有效"])
    write("licences.csv", header, rows)
    return rows


def cases():
    r = chance("cases")
    header = "number,party,cause,field,filed,decided,penalty,amount,published,state"
    causes = [("未取得许可从事经营", "道路运政", "罚款", (10000, 30000)), ("车辆超限运输", "公路路政", "罚款", (500, 30000)),
              ("未按规定使用电子运单", "道路运政", "罚款", (2000, 10000)), ("未按规定维护车辆", "道路运政", "罚款", (1000, 5000)),
              ("不按批准站点停靠", "道路运政", "警告", (0, 0)), ("损坏公路设施", "公路路政", "罚款", (1000, 30000)),
              ("未取得许可从事经营", "港口行政", "没收违法所得", (5000, 60000)), ("未取得许可从事经营", "水路运政", "责令停业整顿", (0, 0))]
    weights = [16, 40, 10, 12, 8, 8, 3, 3]
    rows = []
    filed = day("2026-01-05")
    for index in range(1, 151):
        cause, field, penalty, (low, high) = r.choices(causes, weights)[0]
        filed = filed + dt.timedelta(days=r.choice([0, 1, 1, 2, 2, 3]))
        decided = filed + dt.timedelta(days=r.randrange(6, 60))
        published = decided + dt.timedelta(days=r.randrange(1, 8))
        amount = r.randrange(low // 100, high // 100 + 1) * 100
        rows.append([f"演示交执罚〔2026〕{index:04d}号", company(r, r.choice(["天津", "滨海", "武清", "宝坻"]), ["货运", "物流", "客运", "船务" if field[0] == "水" else "运输"]),
                     cause, field, filed, decided, penalty, f"{amount:.2f}", published,
                     r.choices(["已履行", "履行中", "申请强制执行"], [80, 16, 4])[0]])
    write("cases.csv", header, rows)


LIMITS = {2: 18, 3: 25, 4: 31, 5: 43, 6: 49}


def weighing():
    r = chance("weighing")
    header = "id,station,time,plate,color,axles,mass,limit,ratio,result,longitude,latitude"
    stations = [("示范武清治超站", 117.012, 39.452), ("示范宝坻治超站", 117.322, 39.722), ("示范静海治超站", 116.942, 38.922),
                ("示范滨海治超站", 117.612, 39.042), ("示范宁河治超站", 117.802, 39.322)]
    rows = []
    start = dt.datetime(2026, 11, 9, 0, 10)
    for index in range(1, 401):
        station, x, y = r.choice(stations)
        start += dt.timedelta(minutes=r.randrange(4, 52), seconds=r.randrange(60))
        axles = r.choices([2, 3, 4, 5, 6], [20, 10, 14, 12, 44])[0]
        limit = LIMITS[axles]
        over = r.random() < 0.125
        mass = round(limit * (1 + r.random() ** 2 * 0.9 + 0.012) if over else limit * r.uniform(0.3, 0.985), 2)
        ratio = max(0, (mass - limit) / limit * 100)
        result = "放行" if mass <= limit else "移交立案" if ratio > 10 else "卸载"
        rows.append([f"CX{260000000 + index}", station, start.strftime("%Y-%m-%d %H:%M:%S"),
                     plate(r, r.choice(["津ABCE", "冀BFJRT", "京AG", "鲁BNM", "晋BD"])), "1" if axles == 2 and r.random() < 0.4 else "2", axles,
                     f"{mass:.2f}", f"{limit:.2f}", f"{ratio:.1f}", result, f"{x:.6f}", f"{y:.6f}"])
    clean = [list(row) for row in rows]
    spots = r.sample([i for i, row in enumerate(rows) if row[8] == "0.0"], 9)
    for index in spots[:3]:
        rows[index][5] = 9
    for index in spots[3:7]:
        rows[index][6] = "0.00"
    for index in spots[7:]:
        rows[index][3] = ""
    for index in r.sample([i for i, row in enumerate(rows) if float(row[8]) > 8], 3):
        # The excess in tonnes where the ratio belongs: the classical mistake.
        rows[index][8] = f"{float(rows[index][6]) - float(rows[index][7]):.1f}"
    write("weighing.csv", header, rows)
    # What the road centre holds of the same weighings.
    copied = [row for row in clean if row[1] in ("示范武清治超站", "示范静海治超站")][:120]
    write("weighing-roads.csv", "id,station,time,plate,axles,mass,limit,ratio,lane",
          [[row[0], row[1], row[2], row[3], row[5], row[6], row[7], row[8], r.randrange(1, 4)] for row in copied])


GOODS = [
    ("UN1203", "车用汽油", "3"), ("UN1202", "柴油", "3"), ("UN1075", "液化石油气", "2.1"), ("UN1971", "压缩天然气", "2.1"), ("UN1972", "液化天然气", "2.1"),
    ("UN1017", "氯", "2.3"), ("UN1005", "无水氨", "2.3"), ("UN1830", "硫酸", "8"), ("UN1824", "氢氧化钠溶液", "8"), ("UN1789", "盐酸", "8"),
    ("UN1170", "乙醇", "3"), ("UN1230", "甲醇", "3"), ("UN1049", "压缩氢", "2.1"), ("UN1073", "冷冻液态氧", "2.2"), ("UN1977", "冷冻液态氮", "2.2"),
    ("UN2014", "过氧化氢水溶液", "5.1"), ("UN1593", "二氯甲烷", "6.1"),
]


def waybills():
    r = chance("waybills")
    header = "id,un,cargo,class,mass,plate,driver,escort,carrier,origin,destination,departed,arrived,state"
    places = list(HEBEI_CITIES) + ["120116", "120114", "110112", "110115", "120119"]
    rows = []
    for index in range(1, 171):
        un, cargo, kind = r.choice(GOODS)
        origin, destination = r.choice(list(HEBEI_CITIES)), r.choice(places)
        departed = dt.datetime(2026, 11, 10, 5) + dt.timedelta(minutes=index * 74 + r.randrange(60))
        hours = r.uniform(1.5, 9)
        state = "已作废" if index % 43 == 0 else "运输中" if departed > dt.datetime(2026, 11, 18, 16) else "已完成"
        rows.append([f"YD{2026110000 + index}", un, cargo, kind, f"{r.uniform(4, 32):.2f}",
                     plate(r, HEBEI_LETTERS[origin]), person(r), person(r), company(r, HEBEI_CITIES[origin], ["危货运输"]), origin, destination,
                     departed.strftime("%Y-%m-%d %H:%M:%S"),
                     (departed + dt.timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S") if state == "已完成" else "", state])
    write("waybills.csv", header, rows)


def vehicles():
    r = chance("vehicles")
    header = "plate,color,kind,owner,phone,certificate,seats,division,issued,valid_until,monitored"
    used, rows = set(), []
    divisions = list(HEBEI_CITIES)

    def one(index):
        division = r.choice(divisions)
        kind = r.choice(["班线客车", "旅游客车", "危货运输车", "普通货车", "普通货车", "普通货车", "出租汽车"])
        letters = HEBEI_LETTERS[division]
        if kind == "出租汽车" and r.random() < 0.5:
            number, color = f"{letters}D{r.randrange(10000, 99999)}", "94"
            used.add(number)
        else:
            number, color = plate(r, letters, used), "1" if kind == "出租汽车" else "2"
        seats = {"班线客车": r.choice([19, 37, 45, 53]), "旅游客车": r.choice([37, 45, 53]), "出租汽车": 5}.get(kind, r.choice([2, 3]))
        issued = day("2021-02-01") + dt.timedelta(days=r.randrange(2000))
        valid = dt.date(issued.year + r.choice([4, 5, 8]), issued.month, min(issued.day, 28))
        watched = kind in ("班线客车", "旅游客车", "危货运输车") and r.random() < 0.97 or r.random() < 0.3
        return [number, color, kind, person(r), phone(r), f"{division}{300000 + index}", seats, division, issued, valid,
                "true" if watched else "false"]

    rows = [one(index) for index in range(1, 261)]
    before = [list(row) for row in rows]
    spots = r.sample(range(10, 250), 11)
    for index in spots[:4]:
        rows[index][4] = rows[index][4][:7]
    for index in spots[4:7]:
        rows[index][1] = r.choice(["7", "黄"])
    for index in spots[7:9]:
        rows[index][8], rows[index][9] = rows[index][9], rows[index][8]
    for index in spots[9:]:
        rows[index][0] = rows[index - 5][0]
    write("vehicles.csv", header, rows)
    # October: new vehicles, certificates renewed, two of the faults mended.
    renewed = [list(before[index]) for index in r.sample([i for i in range(250) if not {i, i + 5} & set(spots) and i not in spots], 10)]
    for row in renewed:
        row[9] = dt.date(2031, row[9].month, row[9].day)
    mended = [before[spots[0]], before[spots[4]]]
    write("vehicles-october.csv", header, [one(index) for index in range(261, 275)] + renewed + mended)


def vessel_calls(berth_rows):
    r = chance("vessel-calls")
    header = "id,vessel,mmsi,kind,berth,arrived,departed,gross,draught,cargo,longitude,latitude"
    kinds = {"集装箱": ("集装箱船", "集装箱"), "干散货": ("散货船", "煤炭 铁矿石 粮食"), "液体散货": ("油船", "原油 成品油 液化天然气"),
             "滚装": ("滚装船", "商品汽车"), "件杂货": ("杂货船", "钢材 设备"), "客运": ("客船", "旅客")}
    vessels = {}
    rows = []
    for index in range(1, 181):
        berth = r.choice(berth_rows)
        kind, cargo = kinds[berth[3]]
        number = r.randrange(1, 12)
        vessel = f"津示范{kind[0]}{number}"
        mmsi = vessels.setdefault(vessel, f"4139990{len(vessels) + 10:02d}")
        capacity = berth[6]
        arrived = dt.datetime(2026, 10, 20, 2) + dt.timedelta(minutes=index * 236 + r.randrange(200))
        departed = arrived + dt.timedelta(minutes=int(r.uniform(9, 46) * 60))
        rows.append([f"HC{26100000 + index}", vessel, mmsi, kind, berth[0], arrived.strftime("%Y-%m-%d %H:%M:%S"),
                     departed.strftime("%Y-%m-%d %H:%M:%S") if departed < dt.datetime(2026, 11, 19) else "", int(capacity * 0.62 * r.uniform(0.7, 1)),
                     f"{float(berth[5]) - r.uniform(1.2, 4.5):.1f}", r.choice(cargo.split()), berth[9], berth[10]])
    write("vessel-calls.csv", header, rows)


def gantries():
    r = chance("gantries")
    header = "id,name,route,position,direction,kind,lanes,enabled,longitude,latitude"
    rows = []
    for index in range(1, 97):
        route, name, length, line = TIANJIN_EXPRESSWAYS[index % 5]
        x, y, share = along(line, r, 0.0015)
        direction = ["上行", "下行"][index // 5 % 2]
        at = stake(share, length, 12)
        border = share < 0.04 or share > 0.97
        rows.append([f"MJ{30000 + index}", f"{name}{at.split('+')[0]}{direction}门架", route, at, direction, "省界门架" if border else "主线门架",
                     r.choice([2, 3, 3, 4]), day("2019-12-20") + dt.timedelta(days=r.choice([0, 0, 0, r.randrange(2300)])), x, y])
    write("gantries.csv", header, rows)


def defects():
    r = chance("defects")
    header = "id,route,stake,kind,severity,area,found,finder,photo,repaired,state,longitude,latitude"
    rows = []
    for index in range(1, 141):
        route, name, length, line, _ = TIANJIN[r.randrange(len(TIANJIN))]
        x, y, share = along(line, r, 0.002)
        kind = r.choices(["坑槽", "裂缝", "车辙", "沉陷", "翻浆", "护栏损坏", "标线缺失"], [30, 34, 12, 6, 3, 9, 6])[0]
        severity = r.choices("轻中重", [5, 4, 1])[0]
        found = dt.datetime(2026, 9, 14, 8) + dt.timedelta(hours=index * 10 + r.randrange(9), minutes=r.randrange(60))
        found = found.replace(hour=8 + found.hour % 10)
        age = (dt.datetime(2026, 11, 13) - found).days
        state = "已修复" if age > 12 and r.random() < 0.93 else r.choice(["待处理", "已派单", "修复中"])
        repaired = (found + dt.timedelta(days=r.randrange(1, min(12, max(2, age))))).date() if state == "已修复" else ""
        area = "" if kind == "护栏损坏" else f"{r.uniform(0.2, 3) if kind == '坑槽' else r.uniform(1, 60):.1f}"
        rows.append([f"BH{26090000 + index}", route, stake(share, length), kind, severity, area, found.strftime("%Y-%m-%d %H:%M:%S"), person(r),
                     f"BH{26090000 + index}-1.jpg" if r.random() < 0.9 else "", repaired, state, x, y])
    write("defects.csv", header, rows)


def credit(licence_rows):
    r = chance("credit")
    header = "licence,company,year,category,safety,conduct,service,score,grade,assessed"
    names = {"普通货物运输": "货运企业", "旅客运输": "客运企业", "危险货物运输": "危货企业", "客运站经营": "客运站"}
    rows = []
    for licence in licence_rows[:120]:
        safety, conduct, service = r.randrange(250, 401), r.randrange(190, 301), r.randrange(180, 301)
        score = safety + conduct + service
        grade = "AAA" if score >= 850 else "AA" if score >= 700 else "A" if score >= 640 else "B"
        rows.append([licence[0], licence[1], 2025, names[licence[3]], safety, conduct, service, score, grade,
                     day("2026-05-11") + dt.timedelta(days=r.randrange(40))])
    write("credit.csv", header, rows)


def complaints():
    r = chance("complaints")
    header = "id,received,channel,nature,business,division,caller,phone,content,due,closed,satisfaction,state"
    texts = {
        "出租汽车": ["司机拒载", "司机绕路", "物品遗失在出租车上", "计价器显示异常"], "公共汽电车": ["末班车未按时发车", "站点过站不停", "建议增加早高峰班次", "车厢空调未开启"],
        "长途客运": ["网上退票未到账", "班次取消未通知", "咨询行李携带规定"], "轨道交通": ["自动扶梯停用多日", "闸机重复扣费", "建议延长运营时间"],
        "道路货运": ["货运站场夜间噪声", "反映货车沿街停放", "咨询从业资格换证"], "公路": ["路面坑槽未修补", "护栏损坏", "交通标志被遮挡"],
    }
    districts = ["110101", "110102", "110105", "110106", "110108", "110112", "110113", "110114", "110115"]
    rows = []
    for index in range(1, 171):
        business = r.choice(list(texts))
        content = r.choice(texts[business])
        nature = "建议" if content.startswith("建议") else "咨询" if content.startswith("咨询") else r.choices(["投诉", "举报"], [9, 1])[0]
        received = dt.datetime(2026, 10, 26, 7) + dt.timedelta(minutes=index * 206 + r.randrange(180))
        due = (received + dt.timedelta(days=5 if nature != "咨询" else 3)).date()
        open_ = received > dt.datetime(2026, 11, 17)
        closed = None if open_ else (received + dt.timedelta(days=r.choices([1, 2, 3, 4, 6], [20, 34, 26, 16, 4])[0])).date()
        state = r.choice(["待派发", "办理中"]) if open_ else r.choice(["已办结", "已回访", "已回访"])
        rows.append([f"GD{2026110000 + index}", received.strftime("%Y-%m-%d %H:%M:%S"), r.choices(["电话", "网站", "小程序", "转办"], [60, 8, 24, 8])[0],
                     nature, business, r.choice(districts), person(r), phone(r), f"演示诉求:{content}", due, closed,
                     r.choices([5, 4, 3, 2, 1], [50, 30, 12, 5, 3])[0] if state == "已回访" else "", state])
    write("complaints.csv", header, rows)


def projects():
    r = chance("projects")
    header = "code,name,kind,division,length,investment,invested,progress,started,finish,longitude,latitude"
    rows = []
    for index in range(1, 43):
        route, name, length, line, parts = TIANJIN[index % len(TIANJIN)]
        x, y, share = along(line, r)
        kind = r.choice(["新建", "改扩建", "大修", "大修", "危桥改造"])
        size = 0.4 if kind == "危桥改造" else r.uniform(3, 26)
        money = size * {"新建": 6200, "改扩建": 3100, "大修": 520, "危桥改造": 2600}[kind] * r.uniform(0.8, 1.25)
        progress = r.uniform(4, 98)
        started = day("2024-08-01") + dt.timedelta(days=r.randrange(700))
        finish = "" if index % 7 == 0 else started + dt.timedelta(days=r.randrange(300, 1300))
        rows.append([f"{started.year}-{parts[min(int(share * len(parts)), len(parts) - 1)]}-48-01-9{index:05d}", f"示范{name}{index}号{kind}工程", kind,
                     parts[min(int(share * len(parts)), len(parts) - 1)], f"{size:.2f}", f"{money:.2f}",
                     f"{money * progress / 100 * r.uniform(0.9, 1.0):.2f}", f"{progress:.1f}", started, finish, x, y])
    write("projects.csv", header, rows)


def check_digit(text):
    values, number = {}, 10
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        if number % 11 == 0:
            number += 1
        values[letter] = number
        number += 1
    total = sum((values[c] if c in values else int(c)) << i for i, c in enumerate(text))
    return total % 11 % 10


def containers():
    r = chance("containers")
    header = "id,container,size,laden,gross,gate,direction,time,plate"
    rows = []
    for index in range(1, 161):
        body = r.choice(["TQDU", "TQSU", "JJHU", "TQXU"]) + f"{r.randrange(1000000):06d}"
        digit = check_digit(body)
        if index in (33, 78, 131):
            digit = (digit + 3) % 10
        size = r.choices(["20GP", "40GP", "40HC", "45HC", "20RF", "40RF"], [30, 18, 40, 3, 3, 6])[0]
        laden = r.random() < 0.74
        gross = r.uniform(9, 28 if size[0] == "2" else 31) if laden else {"2": 2.3, "4": 3.9}[size[0]]
        time = dt.datetime(2026, 11, 18, 6) + dt.timedelta(minutes=index * 9 + r.randrange(8), seconds=r.randrange(60))
        rows.append([f"ZH{26110000 + index}", f"{body}{digit}", size, "true" if laden else "false", f"{gross:.2f}",
                     r.choice(["一号闸口", "二号闸口", "三号闸口"]), r.choice(["进港", "出港"]), time.strftime("%Y-%m-%d %H:%M:%S"),
                     plate(r, r.choice(["津ACE", "冀BRJ", "京AG"]))])
    write("containers.csv", header, rows)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.csv"):
        old.unlink()
    checkpoints()
    traffic_counts()
    bridges()
    bus_stops()
    station_passengers()
    berth_rows = berths()
    throughput()
    licence_rows = licences()
    cases()
    weighing()
    waybills()
    vehicles()
    vessel_calls(berth_rows)
    gantries()
    defects()
    credit(licence_rows)
    complaints()
    projects()
    containers()


main()
