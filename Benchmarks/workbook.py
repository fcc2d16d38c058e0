"""A catalogue workbook after the national guide's template, made without a spreadsheet library: `write(path, entries, items, provider)`."""
import zipfile
from xml.sax.saxutils import escape

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = ["信息资源分类", "", "", "", "信息资源名称", "信息资源代码", "信息资源提供方", "提供方内部部门", "资源提供方代码", "信息资源摘要", "信息资源格式", "",
        "信息项信息", "", "", "共享属性", "", "", "", "开放属性", "", "更新周期", "发布日期", "关联资源代码", "涉密属性", "层级"]
LABELS = ["类", "项", "目", "细目", "", "", "", "", "", "", "分类", "类型", "信息项名称", "数据类型", "数据长度", "共享类型", "共享条件", "共享方式", "",
          "是否向社会开放", "开放条件", "", "", "", "", ""]


def write(path, entries, items, provider):
    """One row an item; the cells of a resource stand on its first row and are merged over the others."""
    def row(cells):
        return "<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(c)}</t></is></c>' if c else "<c/>" for c in cells) + "</row>"

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{SHEET}" xmlns:r="{LINKS}"><sheets><sheet name="目录" sheetId="1" r:id="rId1"/></sheets></workbook>')
        book.writestr("xl/_rels/workbook.xml.rels", '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>')
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{SHEET}"><sheetData>{row(["政务信息资源目录"])}{row(HEAD)}{row(LABELS)}'.encode())
            merged = []
            number = 4
            for entry in range(entries):
                for item in range(items):
                    once = lambda text: text if item == 0 else ""
                    sheet.write(row([
                        once("3"), once("01"), once(f"{1 + entry % 11:03d}"), "", once(f"批量{entry}号交通运输数据资源"), "", once(provider), once("信息处"), "",
                        once(f"批量导入基准测试所用的虚构条目,第 {entry} 条,说明内容、范围、来源与用途。"), once("电子表格"), once("xlsx"), f"信息项{item}",
                        ["字符型C", "整型I", "数值型N", "日期型D"][item % 4], "50" if item % 4 == 0 else "", ["无条件共享", "有条件共享"][item % 2],
                        "" if item % 2 == 0 else "因履职需要,经提供方同意", "共享平台", "文件", "否", "", once("每月"), "", "", once("非涉密"), once("省级")]).encode())
                merged += [f"{chr(65 + column)}{number}:{chr(65 + column)}{number + items - 1}" for column in [*range(12), *range(21, 26)]]
                number += items
            sheet.write(f'</sheetData><mergeCells count="{len(merged)}">{"".join(f"<mergeCell ref={chr(34)}{m}{chr(34)}/>" for m in merged)}</mergeCells></worksheet>'.encode())
