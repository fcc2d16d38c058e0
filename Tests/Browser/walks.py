"""Walks through the systems of the demonstration as the people of an authority do, in Chinese: each signs in, presses the buttons and fills the forms.

usage: walks.py BINARY
Prints `ok NAME` for each part of a walk; exits with 1 and says what was expected at the first that fails.
"""
import os, shutil, sys, tempfile

from playwright.sync_api import sync_playwright

from browser import Node, free_port
from walking import Person, chinese, day, moment, plain

SYSTEM, TASKS, CASES = "交通运输行政执法", "行政检查任务", "行政处罚案件"
LI, WANG = {"执法人员一执法证号": "12000001001", "执法人员一姓名": "李卫东"}, {"执法人员二执法证号": "12000001002", "执法人员二姓名": "王立新"}
COMPANY, CODE, SENIOR = "天津北辰顺安物流有限公司（虚构）", "91120113700211896F", "冯示例"
CAUSE, RULE, BASIS = "车辆在公路上擅自超限行驶", "公路安全保护条例关于禁止擅自超限行驶的规定", "公路安全保护条例第六十四条"
REMEDY = {"行政复议机关": "示例行政复议机关", "有管辖权的人民法院": "示例人民法院"}
PEOPLE = {"officer1": "李卫东", "officer2": "王立新", "chief": "马振华", "legal": "林慎行", "hearing": "方听澜", "caseclerk": "邵细文", "monitor": "姜明鉴",
          "hotline_agent_su": "苏晓禾", "hotline_lead_wei": "魏明澜", "hotline_handler_gao": "高朔"}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2, "locale": "zh-CN",
         "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
         "permissions": ["geolocation"], "geolocation": {"longitude": 117.2, "latitude": 39.13}}


def done(name):
    assert not Person.faults, f"{name}: {Person.faults}"
    print("ok", name, flush=True)


class Walks:
    def __init__(self, browser, base, folder):
        self.browser, self.base, self.there = browser, base, {}
        self.public = Person(browser, base)
        # A picture, a paper and a text, as people have them.
        self.photo, self.scan, self.notes = (os.path.join(folder, name) for name in ["现场照片一.jpg", "送达回证.pdf", "说明.txt"])
        self.public.open(base + "/")
        self.public.page.screenshot(path=self.photo, type="jpeg")
        self.public.page.pdf(path=self.scan)
        with open(self.notes, "w") as out:
            out.write("这不是照片")

    def at(self, login, address=None):
        """Somebody, at the record that others are at."""
        if login not in self.there:
            self.there[login] = Person(self.browser, self.base, login, PEOPLE[login])
        if address:
            self.there[login].open(address)
        return self.there[login]

    # Walk 1

    def inspection(self):
        plan = {"检查计划": "货运源头双随机检查(走查)", "随机抽取": "是", "被检查单位代码": CODE, "被检查单位": COMPANY, "监管事项编码": "JC-GL-001",
                "执法门类": "公路路政", "计划检查日期": day(), "检查人员一执法证号": "12000001001", "检查人员一姓名": "李卫东", "检查人员二执法证号": "12000001002", "检查人员二姓名": "王立新"}
        chief = self.at("chief")
        chief.go(SYSTEM, TASKS)
        chief.shot("检查任务列表")
        chief.refused("下达检查任务", plan | {"检查人员二执法证号": "12000001001"}, "应有两名不同的检查人员", shot="同一人检查被拒")
        chief.refused("下达检查任务", plan | {"检查人员二执法证号": "12000001008", "检查人员二姓名": "郑美玲"}, "都应在岗且执法证件在有效期内")
        chief.step("下达检查任务", plan, to="已计划", shot="下达检查任务")
        task, code = chief.page.url, chief.fact("入企检查码")
        officer = self.at("officer1", self.base + "/systems")
        officer.shot("业务系统和待办")
        officer.says("我的业务待办", chief.page.locator("main h1").inner_text().split()[0])
        officer.open(task)
        place = {"检查地点": "天津市北辰区示例路10号", "经度": "117.13", "纬度": "39.22"}
        officer.refused("扫码入企", place | {"现场扫得的码": "RQ99999999"}, "扫得的码与被检查单位的入企码不符", shot="扫错码")
        officer.step("扫码入企", place | {"现场扫得的码": code}, to="现场检查")
        if "图片" not in (words := officer.attach("现场照片", self.notes)):
            officer.fail(f"a text is no picture; it says “{words}”")
        officer.attach("现场照片", self.photo)
        officer.step("制作现场笔录", {"在场人": SENIOR, "在场人职务": "法定代表人", "现场情况": "抽查出场货车一辆，车货总质量五十七吨，超限八吨。", "涉嫌违法案由": CAUSE}, to="已记录", shot="现场笔录制作")
        officer.paper(self.public, "现场笔录", COMPANY, SENIOR, "超限八吨", "李卫东", "王立新")
        officer.refused("检查合格", {}, "已记有涉嫌违法案由")
        officer.step("责令改正", {"违反的规定": RULE, "责令改正内容": "出场货车一律称重", "改正期限": day(7)}, to="责令改正")
        officer.clock("改正期满后复查", "剩")
        officer.paper(self.public, "责令改正违法行为通知书", COMPANY, "出场货车一律称重", chinese(day(7)))
        done("an_inspection_is_planned_scanned_recorded_and_corrected")
        officer.step("转案件办理", {"涉嫌违法案由": CAUSE, "复查情况": "已购置称重设备"}, to="转案件办理")
        officer.clock("改正期满后复查", "按期完成")
        officer.timeline(("下达检查任务", "马振华"), ("扫码入企", "李卫东"), ("制作现场笔录", "李卫东"), ("责令改正", "李卫东"), ("转案件办理", "李卫东"))
        number = officer.fact("案件编号")
        officer.press(number, "main td a")
        return officer.page.url, number

    def filing(self, case):
        officer = self.at("officer1", case)
        officer.says("线索", COMPANY, "抽查出场货车一辆")
        party = {"统一社会信用代码": CODE, "法定代表人（负责人）": SENIOR, "联系电话": "13900000202", "住址（住所）": "天津市示例路10号"}
        officer.refused("提请立案", LI | WANG | {"执法人员二执法证号": "12000001001"}, "两名执法人员应为不同的人")
        officer.refused("提请立案", LI | WANG | {"统一社会信用代码": "91120113700211896A"}, "统一社会信用代码", shot="信用代码校验")
        officer.step("提请立案", LI | WANG | party, to="立案审批")
        officer.closed("file")
        chief = self.at("chief", case)
        chief.clock("核查和立案期限", "剩")
        chief.step("批准立案", note="同意立案", to="调查取证", shot="批准立案")
        chief.clock("核查和立案期限", "按期完成")
        chief.clock("办案期限", "剩")
        chief.paper(self.public, "立案登记表", COMPANY, CAUSE, "李卫东", "12000001001", chinese(day()))
        officer.open(case)
        officer.step("申请回避", {"被申请回避人": "王立新", "回避理由": "与当事人负责人系同学"})
        chief.open(case)
        chief.step("决定回避", LI | {"回避": "决定回避", "执法人员二执法证号": "12000001006", "执法人员二姓名": "周晓燕"})
        chief.paper(self.public, "回避决定书", "王立新", "决定回避")
        done("a_lead_is_filed_by_another_and_an_officer_stands_aside")

    def investigation(self, case):
        officer = self.at("officer1", case)
        officers = {"询问人执法证号": "12000001001", "询问人": "李卫东", "记录人执法证号": "12000001006", "记录人": "周晓燕"}
        asked = {"被询问人": SENIOR, "与案件关系": "法定代表人", "询问地点": "总队询问室", "开始时间": moment(hours=-2), **officers}
        officer.refused("开始询问", asked | {"已出示证件并告知权利": "否"}, "出示证件、告知权利")
        officer.step("开始询问", asked | {"已出示证件并告知权利": "是", "是否申请回避": "否"}, to="询问中")
        officer.step("记录问答", {"问答内容": "问：该车出场前是否称重？\n答：没有称重。\n问：是否办理超限运输许可？\n答：没有办理。", "结束时间": moment(hours=-1)}, to="待核对签字", shot="记录问答")
        officer.refused("拒绝签字", {"拒签情况": "当事人拒绝"}, "请先上传“询问录音录像”", shot="缺录音录像")
        officer.step("核对无误签字", to="已签字")
        officer.paper(self.public, "询问笔录", SENIOR, "没有称重", "询问室")
        got = {"证据种类": "物证", "证据名称": "货车所载石料", "数量": "57", "单位": "吨", "证明内容": "车货总质量", "取得时间": moment(hours=-3), "取得地点": "示例货场出口", "提供人（持有人）": SENIOR,
               "取证人员一执法证号": "12000001001", "取证人员一姓名": "李卫东", "取证人员二执法证号": "12000001006", "取证人员二姓名": "周晓燕"}
        officer.open(case)
        officer.refused("登记证据", got | {"取证人员二执法证号": "12000001001"}, "两名取证人员应为不同的人")
        officer.step("登记证据", got, to="已收集")
        evidence = officer.page.url
        officer.attach("照片", self.photo)
        officer.shot("证据和照片")
        officer.step("勘验", {"勘验情况": "车厢石料高出栏板二十厘米。", "勘验人": "李卫东"})
        officer.paper(self.public, "勘验笔录", "高出栏板")
        officer.step("抽样取证", {"抽样方法": "随机", "抽样数量": "两份", "规格、特征、成色": "碎石"})
        officer.paper(self.public, "抽样取证凭证", "两份", SENIOR)
        officer.step("申请先行登记保存", {"登记保存理由": "可能灭失或者以后难以取得", "保存地点": "总队物证室"}, to="待批准登记保存")
        officer.closed("preserve")
        chief = self.at("chief", evidence)
        chief.step("批准先行登记保存", note="同意", to="先行登记保存")
        chief.clock("先行登记保存处理期限", "剩")
        chief.paper(self.public, "证据登记保存清单", "货车所载石料", "总队物证室", "马振华")
        officer.open(evidence)
        officer.step("作出登记保存处理决定", {"登记保存处理": "解除登记保存", "处理说明": "已取样，不再需要保存"}, to="已收集")
        officer.clock("先行登记保存处理期限", "按期完成")
        officer.paper(self.public, "证据登记保存处理决定书", "解除登记保存")
        officer.step("认定采信", {"审查认定意见": "来源合法、内容真实，予以采信。"}, to="认定采信")
        officer.open(case)
        officer.step("申请采取强制措施", {"种类": "扣押财物", "强制对象": COMPANY, "场所设施财物清单": "货车一辆", "理由": "防止证据损毁", "依据": "本地权责清单所列依据(示例)", "存放地点": "总队停车场", "保管人": "孟示例"} | LI
                     | {"执法人员二执法证号": "12000001006", "执法人员二姓名": "周晓燕"}, to="待批准")
        measure = officer.page.url
        chief.open(measure)
        chief.step("批准并作出强制措施决定", REMEDY | {"期限至": day(30)}, to="实施中")
        chief.clock("查封扣押期限", "剩")
        chief.paper(self.public, "行政强制措施决定书", COMPANY, "货车一辆", chinese(day(30)))
        chief.step("批准延长期限", {"延长理由": "检测尚未完成", "延长至": day(45)}, to="已延长")
        chief.paper(self.public, "延长行政强制措施期限通知书", COMPANY, "检测尚未完成", chinese(day(45)))
        chief.step("解除强制措施", {"解除理由": "已卸载改正", "财物领取人": SENIOR}, to="已解除")
        chief.paper(self.public, "解除行政强制措施决定书", COMPANY, "已卸载改正")
        done("two_officers_ask_and_take_evidence_with_a_photograph_and_a_seizure_is_lifted")

    def review(self, case):
        officer, chief = self.at("officer1", case), self.at("chief")
        proposal = {"违法事实": "当事人所属货车未经许可超限八吨行驶。", "证据概述": "现场笔录、询问笔录、勘验笔录、称重检测单", "违反的规定": RULE, "处罚依据": BASIS, "调查结论和处理意见": "事实清楚、证据充分，建议罚款六千元。",
                    "情节复杂或重大违法": "是", "法制审核事由": "案情疑难复杂涉及多个法律关系", "裁量基准编号": "CL-003", "裁量阶次": "一般", 
                    "拟处罚种类": "罚款", "拟罚款金额": "6000", "拟处罚内容": "罚款6000元"}
        officer.refused("调查终结、提请审核", proposal | {"拟罚款金额": "12000"}, "应写明理由", shot="偏离裁量基准")
        officer.step("调查终结、提请审核", proposal, to="案件审核", shot="调查终结")
        officer.paper(self.public, "案件处理意见书（调查报告）", COMPANY, CAUSE, "货车所载石料", "建议罚款六千元")
        chief.open(case)
        chief.refused("审核同意（不属重大）", {}, "须先送法制审核")
        chief.step("送法制审核", to="法制审核")
        chief.closed("legal_agree")
        legal = self.at("legal", case)
        legal.step("法制审核同意", {"法制审核意见": "事实清楚，证据确凿，程序合法，裁量适当，同意。"}, to="待告知", shot="法制审核")
        legal.paper(self.public, "重大案件法制审核意见书", COMPANY, "程序合法", "林慎行")
        officer.open(case)
        officer.step("告知（不涉及听证）", {"告知方式": "直接送达"}, to="已告知（陈述申辩）")
        officer.paper(self.public, "违法行为通知书", COMPANY, "罚款6000元", "第四十四条")
        officer.issue("送达回证")
        officer.paper(self.public, "送达回证", COMPANY, "违法行为通知书")
        other = self.at("officer2", case)
        other.step("记录陈述申辩", {"陈述申辩": "车辆系首次超限，请求从轻处罚。"})
        officer.open(case)
        officer.refused("提请集体讨论", {}, "陈述申辩尚未复核")
        officer.step("复核陈述申辩", {"陈述申辩复核意见": "超限八吨属一般情形，不予采纳。"})
        officer.refused("告知完毕、提请决定", {}, "须集体讨论")
        officer.step("提请集体讨论", to="集体讨论")
        chief.open(case)
        chief.step("负责人集体讨论", {"讨论出席人员": "总队长、副总队长、法制科负责人", "讨论记录和结论": "一致同意罚款六千元。"}, to="待决定")
        chief.paper(self.public, "重大案件集体讨论记录", "一致同意罚款六千元", "首次超限", "不予采纳")
        decision = REMEDY | {"处罚种类": "罚款", "罚款金额": "6000", "处罚内容": "罚款6000元", "缴款银行或渠道": "示例银行各网点或电子支付系统"}
        chief.refused("作出处罚决定（公示）", decision | {"罚款金额": "9000"}, "不得高于告知的数额", shot="超过告知数额")
        chief.step("作出处罚决定（公示）", decision, to="已决定（待送达）", shot="作出决定")
        chief.clock("办案期限", "按期完成")
        chief.clock("决定书送达期限", "剩")
        number = chief.paper(self.public, "行政处罚决定书", COMPANY, CODE, RULE, BASIS, "罚款6000元", "示例银行", "示例行政复议机关", "示例人民法院", "不予采纳", chinese(day()))
        done("a_case_is_reviewed_notified_defended_discussed_and_decided")
        return number

    def execution(self, case):
        officer, chief, clerk = self.at("officer1"), self.at("chief"), self.at("caseclerk", case)
        clerk.refused("当日送达", {"送达方式": "电子送达", "收件人": SENIOR}, "电子送达须当事人签订确认书", shot="电子送达被拒")
        clerk.step("当日送达", {"送达方式": "直接送达", "收件人": SENIOR}, to="执行")
        clerk.clock("决定书送达期限", "按期完成")
        clerk.paper(self.public, "送达回证", COMPANY, SENIOR, "行政处罚决定书")
        clerk.refused("归入送达回证扫描件", {}, "请先上传“送达回证扫描件”", shot="缺回证")
        clerk.attach("送达回证扫描件", self.scan)
        clerk.step("归入送达回证扫描件")
        clerk.step("建立缴纳记录")
        clerk.clock("罚款缴纳期限", "剩")
        clerk.press(clerk.fact("缴纳记录编号"), "main td a")
        payment = clerk.page.url
        clerk.step("申请分期（延期）", {"分期数": "2", "分期（延期）安排": "两期各三千元", "分期（延期）理由": "资金周转困难", "批准的缴款截止日期": day(60)}, to="分期（延期）待批")
        chief.open(payment)
        chief.step("批准分期（延期）", to="分期（延期）缴纳")
        chief.paper(self.public, "分期（延期）缴纳罚款通知书", COMPANY, "两期各三千元", chinese(day(60)))
        clerk.open(payment)
        clerk.step("开具缴款码", {"非税缴款码": "12000026110000009999"})
        clerk.step("登记部分缴款", {"本次缴款": "3000", "缴款方式": "银行缴款"})
        clerk.refused("缴清", {"累计已缴": "3000", "缴款方式": "银行缴款"}, "累计已缴少于罚款")
        clerk.step("缴清", {"累计已缴": "6000", "缴款方式": "电子支付", "专用票据号": "PJ2026009999"}, to="已缴清", shot="缴清")
        officer.open(case)
        officer.refused("提请结案", {"执行情况": "尚未确认", "结案意见": "建议结案"}, "罚款未缴清")
        clerk.open(case)
        clerk.step("确认缴清", {"已缴金额": "6000"})
        clerk.clock("罚款缴纳期限", "按期完成")
        publicity = clerk.fact("公示记录编号")
        clerk.press(publicity, "main td a")
        clerk.says(COMPANY, "0.6")
        clerk.step("公示（中期）", {}, to="公示中", shot="公示")
        officer.open(case)
        officer.step("提请结案", {"执行情况": "罚款六千元已缴清", "结案意见": "处罚决定已履行完毕，建议结案。"}, to="结案审批")
        officer.closed("approve_closing")
        chief.open(case)
        chief.step("批准结案", to="已结案（待归档）")
        chief.paper(self.public, "结案报告", COMPANY, "罚款六千元已缴清", "马振华")
        monitor = self.at("monitor", case)
        if COMPANY in monitor.text() and SENIOR in monitor.text():
            monitor.fail("the supervisor should see people masked")
        monitor.shot("电子监察员所见")
        monitor.step("发出监察意见", {"监察意见": "请说明分期缴纳的审批依据。"})
        clerk.open(case)
        clerk.refused("归档", {"卷宗页数": "58"}, "监察意见尚未答复")
        chief.open(case)
        chief.step("答复监察意见", {"监察答复": "依当事人申请，经负责人批准。"})
        clerk.open(case)
        clerk.step("归档", {"卷宗页数": "58"}, to="已归档", shot="归档")
        clerk.paper(self.public, "卷宗目录", COMPANY, "货车所载石料", "询问笔录", "58", "邵细文")
        clerk.timeline(("登记线索", "李卫东"), ("提请立案", "李卫东"), ("批准立案", "马振华"), ("申请回避", "李卫东"), ("决定回避", "马振华"), ("调查终结、提请审核", "李卫东"), ("送法制审核", "马振华"),
                       ("法制审核同意", "林慎行"), ("告知（不涉及听证）", "李卫东"), ("记录陈述申辩", "王立新"), ("复核陈述申辩", "李卫东"), ("提请集体讨论", "李卫东"), ("负责人集体讨论", "马振华"),
                       ("作出处罚决定（公示）", "马振华"), ("当日送达", "邵细文"), ("归入送达回证扫描件", "邵细文"), ("建立缴纳记录", "邵细文"), ("确认缴清", "邵细文"), ("提请结案", "李卫东"), ("批准结案", "马振华"),
                       ("发出监察意见", "姜明鉴"), ("答复监察意见", "马振华"), ("归档", "邵细文"))
        clerk.shot("已归档的案件")
        done("a_decision_is_served_paid_published_closed_and_archived")

    # Walk 2

    def hearing(self):
        officer = self.at("officer2")
        officer.go(SYSTEM, CASES)
        company = "天津蓟州石料有限公司（虚构）"
        officer.step("登记线索", {"案件来源": "非现场执法", "线索内容": "检测点多次记录超限二十五吨。", "监管事项编码": "CF-GL-001", "执法门类": "公路路政", "案由": CAUSE, "当事人类型": "法人", "单位名称": company,
                              "统一社会信用代码": "91120119700988822D", "法定代表人（负责人）": "杨示例", "违法行为发生时间": moment(days=-9), "违法行为地点": "示例检测点", "行政区划代码": "120119"}, to="线索")
        case, number = officer.page.url, officer.fact("案件编号")
        officer.step("提请立案", LI | WANG, to="立案审批")
        chief = self.at("chief", case)
        chief.step("批准立案", to="调查取证")
        officer.open(case)
        officer.step("调查终结、提请审核", {"违法事实": "多次超限二十五吨。", "证据概述": "称重记录、视频", "违反的规定": RULE, "处罚依据": BASIS, "调查结论和处理意见": "建议从重处罚。", "情节复杂或重大违法": "是", "法制审核事由": "无",
                                    "裁量阶次": "从重", "偏离裁量基准的理由": "多次违法，拒不改正", "拟处罚种类": "罚款", "拟罚款金额": "120000", "拟处罚内容": "罚款120000元"}, to="案件审核")
        chief.open(case)
        chief.step("审核同意（不属重大）", to="待告知")
        officer.open(case)
        officer.refused("告知（不涉及听证）", {"告知方式": "直接送达"}, "应当告知听证权利")
        officer.step("告知并告知听证权利", {"告知方式": "直接送达"}, to="已告知（陈述申辩）", shot="告知听证权利")
        officer.clock("要求听证期限", "剩")
        officer.paper(self.public, "违法行为通知书", company, "罚款120000元", "五个工作日", "听证")
        officer.refused("提请集体讨论", {}, "听证权利尚未处理")
        clerk = self.at("caseclerk", case)
        clerk.step("当事人要求听证", note="当事人书面提出", to="待听证")
        clerk.clock("要求听证期限", "按期完成")
        host = self.at("hearing", case)
        host.step("通知听证", {"听证时间": moment(days=14), "听证地点": "总队听证室", "公开听证": "是"}, to="已通知听证", shot="通知听证")
        host.clock("听证提前通知期限", "剩")
        host.paper(self.public, "听证通知书", company, "总队听证室", chinese(day(14)), "方听澜")
        chief.open(case)
        chief.step("办案期限中止", {"中止事由": "听证", "中止依据": "负责人批准(示例)"})
        chief.clock("办案期限", "中止")
        host.open(case)
        minutes = "主持人：现在开始听证。\n当事人：称重设备检定证书已过有效期。\n执法人员：请予核实。"
        host.refused("举行听证", {"听证笔录": minutes, "已提前七个工作日通知": "否"}, "七个工作日前通知")
        host.step("举行听证", {"听证笔录": minutes, "已提前七个工作日通知": "是"}, to="已听证")
        host.clock("听证提前通知期限", "按期完成")
        host.paper(self.public, "听证笔录", "检定证书已过有效期", "方听澜")
        chief.open(case)
        chief.step("办案期限恢复")
        chief.clock("办案期限", "剩")
        host.open(case)
        host.step("提交听证报告", {"听证结论和意见": "主要证据不能采信，建议撤销案件。"}, to="听证后法制审核")
        host.paper(self.public, "听证报告书", company, "建议撤销案件")
        chief.open(case)
        chief.step("撤销案件", {"撤销案件理由": "违法事实不能成立"}, to="已撤案", shot="撤案")
        chief.clock("办案期限", "按期完成")
        chief.paper(self.public, "撤销案件审批表", company, "违法事实不能成立", "主要证据不能采信", "马振华")
        chief.timeline(("登记线索", "王立新"), ("批准立案", "马振华"), ("审核同意（不属重大）", "马振华"), ("告知并告知听证权利", "王立新"), ("当事人要求听证", "邵细文"), ("通知听证", "方听澜"), ("办案期限中止", "马振华"),
                       ("举行听证", "方听澜"), ("办案期限恢复", "马振华"), ("提交听证报告", "方听澜"), ("撤销案件", "马振华"))
        officer.open(case)
        if officer.has("调查终结、提请审核") or not officer.fact("案件编号") == number:
            officer.fail("a case that was withdrawn takes no steps")
        done("a_case_goes_to_hearing_and_is_withdrawn")

    # Walk 3

    def on_the_spot(self):
        officer = Person(self.browser, self.base, "officer1", "李卫东", **PHONE)
        officer.shot("手机工作台")
        officer.go(SYSTEM, CASES)
        officer.shot("手机案件列表")
        found = {"案件来源": "行政检查", "执法门类": "公路路政", "案由": "车辆外廓尺寸超限", "监管事项编码": "CF-GL-002", "当事人类型": "公民", "公民姓名": "何示例", "公民身份号码": "120102198806150414", "联系电话": "13900000399",
                 "车辆号牌": "津D77889", "违法行为发生时间": moment(hours=-1), "违法行为地点": "天津市河东区示例路口", "违法事实": "车辆总宽二点六米。", "证据概述": "测量记录、照片", "违反的规定": RULE, "处罚依据": BASIS,
                 "处罚种类": "罚款", "罚款金额": "100", "处罚内容": "罚款100元", "缴款银行或渠道": "示例银行"} | LI | WANG | REMEDY
        officer.refused("当场处罚（简易程序）", found | {"罚款金额": "500"}, "二百元以下", shot="手机罚款超额")
        officer.refused("当场处罚（简易程序）", found | {"公民身份号码": "120102198806150418"}, "身份")
        officer.step("当场处罚（简易程序）", found, to="已决定（待送达）", shot="手机当场处罚")
        case, number = officer.page.url, officer.fact("案件编号")
        officer.attach("照片", self.photo, place="117.2")
        officer.shot("手机附照片")
        officer.paper(self.public, "当场行政处罚决定书", "何示例", "津D77889", "罚款100元", "第五十一条", "示例人民法院", chinese(day()))
        officer.step("当日送达", {"送达方式": "直接送达", "收件人": "何示例"}, to="执行")
        officer.paper(self.public, "送达回证", "何示例", "当场行政处罚决定书")
        officer.step("当场处罚备案")
        officer.clock("当场处罚备案期限", "按期完成")
        for tab in ["看板", "统计", "流程图"]:
            officer.go(SYSTEM, CASES)
            officer.press(tab, "main nav a")
            officer.shot(f"手机{tab}")
        officer.go(SYSTEM, "罚没款缴纳")
        fine = {"案件编号": number, "决定书文号": "当场决定书", "缴款人": "何示例", "罚款金额": "100", "专用票据号": "PJ2026008888"}
        officer.refused("当场收缴", fine | {"罚款金额": "150", "当场收缴事由": "一百元以下罚款"}, "超过一百元")
        officer.step("当场收缴", fine | {"当场收缴事由": "一百元以下罚款"}, to="当场收缴待交")
        officer.clock("当场收缴交至机关", "剩")
        officer.open(case)
        officer.timeline(("当场处罚（简易程序）", "李卫东"), ("当日送达", "李卫东"), ("当场处罚备案", "李卫东"))
        officer.page.context.close()
        done("a_summary_case_is_done_on_a_phone")

    # Walk 4

    def complaint(self):
        agent, lead, handler = (self.at(login) for login in ["hotline_agent_su", "hotline_lead_wei", "hotline_handler_gao"])
        orders = ("12328 交通运输服务监督电话", "12328 工单")
        agent.go(*orders)
        agent.shot("工单列表")
        agent.step("登记", {"业务类别": "投诉举报", "来源渠道": "12328 电话", "来电人姓名": "柳女士", "来电人电话": "13900000388", "业务领域": "道路运输", "事发地区划": "120113", "被反映单位": COMPANY,
                          "诉求标题": "货车超载出场(走查)", "诉求内容": "货场每天夜里有超载的货车出来，扬尘很大。"}, to="已登记", shot="登记工单")
        order, number = agent.page.url, agent.fact("工单编号")
        checked = {"属于交通运输职责范围": "是", "对象、事实、理由明确": "是", "已进入诉讼、仲裁等程序": "否"}
        agent.refused("受理投诉举报", checked | {"已进入诉讼、仲裁等程序": "是"}, "方可受理")
        agent.step("受理投诉举报", checked, to="已受理待转办")
        agent.clock("投诉举报办理时限", "剩")
        agent.paper(self.public, "12328 工单", number, COMPANY)
        lead.open(order)
        if "柳女士" in lead.text() or "13900000388" in lead.text():
            lead.fail("the caller should be masked")
        lead.step("转办", {"承办单位": "市交通运输综合行政执法机构", "转办要求": "请现场检查"}, to="已转办待签收")
        lead.clock("转办时限", "按期完成")
        handler.open(order)
        handler.step("签收", to="办理中")
        handler.step("记录办理经过", {"办理经过": "调取货场夜间监控，疑似未称重出场。"})
        handler.step("转为执法检查", {"转检查理由": "需要现场称重核实"}, shot="转为执法检查")
        task = handler.fact("检查任务")
        clerk = self.at("caseclerk")
        clerk.go(SYSTEM, TASKS)
        clerk.press(task, "main td a")
        clerk.says("线索待派", number, COMPANY, "货车超载出场")
        inspection = clerk.page.url
        chief, officer = self.at("chief", inspection), self.at("officer1")
        chief.shot("投诉成为检查")
        chief.step("派发检查", {"检查计划": "投诉核查", "随机抽取": "否", "被检查单位代码": CODE, "被检查单位": COMPANY, "监管事项编码": "JC-GL-001", "执法门类": "公路路政", "计划检查日期": day(),
                             "检查人员一执法证号": "12000001001", "检查人员一姓名": "李卫东", "检查人员二执法证号": "12000001002", "检查人员二姓名": "王立新"}, to="已计划")
        code = chief.fact("入企检查码")
        officer.open(inspection)
        officer.step("扫码入企", {"现场扫得的码": code, "检查地点": "示例货场"}, to="现场检查")
        officer.step("制作现场笔录", {"在场人": SENIOR, "现场情况": "出场货车均已称重，未见超限，门口扬尘已责成清扫。"}, to="已记录")
        officer.paper(self.public, "现场笔录", "均已称重")
        officer.step("检查合格", to="检查合格")
        chief.open(inspection)
        chief.step("办结", to="办结")
        done("a_complaint_becomes_an_inspection_under_its_number")
        handler.open(order)
        handler.shot("承办人所见检查结果")
        handler.step("答复", {"办理经过": f"检查任务 {task} 已办结，出场货车均已称重。", "调查结论": "部分属实", "答复内容": "执法人员已现场检查，出场货车均已称重，扬尘已清扫。", "答复方式": "电话"}, to="已答复待回访")
        handler.clock("投诉举报办理时限", "按期完成")
        agent.open(order)
        agent.paper(self.public, "转办单", number, "请现场检查", "市交通运输综合行政执法机构")
        agent.paper(self.public, "办理结果答复单", number, "柳女士", "均已称重", "执法检查")
        agent.refused("办结归档", {}, "投诉举报须先回访")
        agent.refused("回访", {"回访结果": "已接通"}, "须记录满意度")
        agent.step("回访", {"回访结果": "已接通", "满意度": "满意", "回访记录": "来电人认可"}, to="已回访")
        agent.step("办结归档", to="已办结归档", shot="工单办结")
        agent.timeline(("登记", "苏晓禾"), ("受理投诉举报", "苏晓禾"), ("转办", "魏明澜"), ("签收", "高朔"), ("转为执法检查", "高朔"), ("答复", "高朔"), ("回访", "苏晓禾"), ("办结归档", "苏晓禾"))
        if agent.fact("工单编号") != number or agent.fact("检查任务") != task:
            agent.fail("the order and the inspection should keep their numbers")
        officer.open(inspection)
        officer.says(number)
        done("the_caller_is_answered_called_back_and_the_order_is_filed")

    # Documents that no walk comes by

    def others(self):
        chief, officer = self.at("chief"), self.at("officer2")

        def first(person, state, resource=CASES):
            person.go(SYSTEM, resource)
            form = person.page.locator("main form.filters")
            form.locator("[name=f_state]").select_option(label=state)
            with person.page.expect_navigation():
                form.locator("button").last.click()
            with person.page.expect_navigation():
                person.page.locator("main td a").first.click()

        first(chief, "调查取证")
        chief.step("移送", {"移送类别": "移送司法机关", "受移送机关": "示例公安机关", "移送理由": "涉嫌犯罪"}, to="已移送")
        chief.paper(self.public, "案件移送书", "示例公安机关", "涉嫌犯罪")
        first(officer, "执行")
        officer.step("催告", to="已催告")
        officer.paper(self.public, "催告书", "百分之三")
        first(officer, "线索")
        officer.step("提请立案", LI | WANG)
        case = officer.page.url
        chief.open(case)
        chief.step("批准立案")
        officer.open(case)
        officer.step("调查终结、提请审核", {"违法事实": "轻微", "证据概述": "笔录", "违反的规定": RULE, "处罚依据": BASIS, "调查结论和处理意见": "建议不予处罚", "情节复杂或重大违法": "否", "法制审核事由": "无", "裁量阶次": "不予处罚",
                                    "拟处罚种类": "不予处罚", "拟处罚内容": "不予处罚"})
        officer.paper(self.public, "案件处理意见书（调查报告）", "建议不予处罚")
        chief.open(case)
        chief.step("审核同意（不属重大）")
        officer.open(case)
        officer.step("告知（不涉及听证）", {"告知方式": "直接送达"})
        officer.step("告知完毕、提请决定", to="待决定")
        chief.open(case)
        chief.step("决定不予处罚", REMEDY | {"不予处罚理由": "首次违法，危害后果轻微并及时改正"}, to="已决定（待送达）")
        chief.paper(self.public, "不予行政处罚决定书", "首次违法", "示例人民法院")
        officer.open(case)
        officer.step("当日送达", {"送达方式": "直接送达", "收件人": "代收人"})
        officer.paper(self.public, "送达回证", "不予行政处罚决定书")
        officer.step("申请采取强制措施", {"种类": "代履行", "强制对象": COMPANY, "场所设施财物清单": "清除抛洒物", "理由": "危害交通安全", "依据": "示例"} | LI | WANG, to="待批准")
        chief.open(officer.page.url)
        chief.refused("批准并作出强制措施决定", REMEDY | {"期限至": day(9)}, "作出代履行决定")
        chief.step("作出代履行决定", REMEDY | {"代履行人": "示例养护公司", "代履行日期": day(9), "代履行费用预算": "8000"}, to="代履行决定")
        chief.paper(self.public, "代履行决定书", COMPANY, "示例养护公司", chinese(day(9)))
        # Only the application to the court waits for a time limit of months.
        wanted = {"现场笔录", "责令改正违法行为通知书", "立案登记表", "回避决定书", "询问笔录", "勘验笔录", "抽样取证凭证", "证据登记保存清单", "证据登记保存处理决定书", "行政强制措施决定书", "延长行政强制措施期限通知书",
                  "解除行政强制措施决定书", "案件处理意见书（调查报告）", "重大案件法制审核意见书", "违法行为通知书", "送达回证", "重大案件集体讨论记录", "行政处罚决定书", "分期（延期）缴纳罚款通知书", "结案报告", "卷宗目录",
                  "听证通知书", "听证笔录", "听证报告书", "撤销案件审批表", "当场行政处罚决定书", "案件移送书", "催告书", "不予行政处罚决定书", "代履行决定书"}
        assert wanted <= set(Person.papers), f"not seen: {wanted - set(Person.papers)}"
        numbers = [number for given in Person.papers.values() for number in given if number]
        assert len(numbers) == len(set(numbers)), f"a number was given twice: {sorted(numbers)}"
        self.public.open(self.base + "/verify")
        self.public.page.fill("main [name=code]", "没有这个码")
        self.public.press("核验", "main button")
        self.public.says("没有这个核验码的文书")
        self.public.shot("核验失败")
        done("thirty_kinds_of_documents_are_printed_and_verified")


def main(binary):
    folder = tempfile.mkdtemp(prefix="tongqu-walks-")
    node = Node(binary, os.path.join(folder, "node"), free_port())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            walks = Walks(browser, f"http://127.0.0.1:{node.port}", folder)
            case, number = walks.inspection()
            walks.filing(case)
            walks.investigation(case)
            walks.review(case)
            walks.execution(case)
            walks.hearing()
            walks.on_the_spot()
            walks.complaint()
            walks.others()
            browser.close()
        node.stop()
    except AssertionError as fault:
        print(f"walks.py: {fault}")
        sys.exit(1)
    finally:
        node.process.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1])
