// 中文。与 en.ts 各节、各键一一对应；缺一个，构建即失败。
import type { Table } from '../base/words';

export const zh: Table = {
    base: {
        loading: '正在加载…', failed: '操作未成功。', not_allowed: '您的角色无权查看此页。', not_found: '没有找到。', again: '重试',
        stale: '所示内容可能已过时。', refused: '服务器拒绝了请求（{status}）。', lost: '服务器无响应，网络可能中断。',
        lost_again: '可再次发送，不会重复计入。', sending: '正在发送…', cancel: '取消', save: '保存', close: '关闭', menu: '菜单', skip: '跳到正文',
        theme: '配色', theme_auto: '跟随系统', theme_light: '浅色', theme_dark: '深色', live: '实时', no_view: '没有这个页面', home: '回到今日',
        export_as: '下载列表（{form}）', seconds: '{n} 秒', minutes: '{n} 分钟', hours: '{n} 小时', days: '{n} 天', ago: '{span}前', ahead: '{span}后',
    },
    menu: { work: '工作', fleet: '水表', money: '计费', house: '管理' },
    role: { admin: '管理员', supervisor: '调度员', reader: '抄表员', billing: '计费员', store: '仓库员', crew: '外勤班组', viewer: '只读' },
    kind: {
        stuck: '停走', unmoved: '从未走动', reversed: '倒装', leak: '漏水', burst: '爆管', slow: '走慢', fast: '走快', backflow: '倒流', selfturn: '自走',
        silent: '失联', outage: '通信中断', dry: '片区停水', battery: '电池', clock: '时钟不准', tamper: '被动过', overdue: '检定超期', oversize: '口径过大',
        undersize: '口径过小', swapped: '互换', balance: '总分不符', 'out-of-step': '表盘与远传不符', house: '楼栋总分不符', valve: '阀门',
    },
    severity: { urgent: '紧急', high: '高', medium: '中', low: '低' },
    table: {
        filter: '筛选：{name}', filter_hint: '筛选（按 /）', rows: '{n} 行', some: '{all} 行中的 {n} 行', more: '——服务器上还有更多', none_found: '没有符合筛选条件的行。',
        mark: '选中此行', mark_all: '全选',
    },
    chart: { time: '时间', tools: '缩放', in: '放大', out: '缩小', earlier: '更早', later: '更晚', all: '全部' },
    password: {
        title: '修改密码', about: '修改后，您在所有设备上的登录都会结束，需用新密码重新登录。', old: '当前密码', new: '新密码', repeat: '再次输入新密码',
        hint: '8 至 256 个字符，不能与姓名相同，也不能是同一字符的重复。', differ: '两次输入的新密码不一致。', send: '修改密码',
    },
    signin: {
        title: '登录', about: '登录后可抄读、计费并管理全市水表。', name: '姓名', password: '密码', send: '登录', out: '退出登录',
        wrong: '姓名或密码不正确。', wait: '密码错误次数过多，请在 {n} 秒后重试。',
    },
    today: {
        title: '今日', open_flags: '未关闭的异常', no_flags: '没有异常，所有水表运行正常。', kind: '类型', severity: '等级', point: '用水点', serial: '水表', lost: '损失 m³/天', raised: '发现', text: '说明',
    },
    users: {
        title: '人员', new: '新增人员', create: '创建', change: '修改 {name}', name: '姓名', role: '角色', org: '单位', org_hint: '留空：所有单位。', all_units: '全部', password: '密码',
        password_new: '新密码', password_ends: '仅在需要更换时填写；该人员的登录会全部结束。', enabled: '允许登录', state: '状态', may: '可登录', shut_out: '已停用',
        changed: '修改时间', by: '修改人', none: '除令牌外，尚无人可登录。',
    },
};
