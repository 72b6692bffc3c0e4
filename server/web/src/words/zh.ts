// 中文。与 en.ts 各节、各键一一对应；缺一个，构建即失败。
import type { Table } from '../base/words';

export const zh: Table = {
    base: {
        loading: '正在加载…', failed: '操作未成功。', not_allowed: '您的角色无权查看此页。', not_found: '没有找到。', again: '重试',
        stale: '所示内容可能已过时。', refused: '服务器拒绝了请求（{status}）。', lost: '服务器无响应，网络可能中断。',
        lost_again: '可再次发送，不会重复计入。', sending: '正在发送…', cancel: '取消', save: '保存', close: '关闭', menu: '菜单', skip: '跳到正文',
        theme: '配色', theme_auto: '跟随系统', theme_light: '浅色', theme_dark: '深色', live: '实时', no_view: '没有这个页面', home: '回到今日',
        export_as: '下载列表（{form}）', seconds: '{n} 秒', minutes: '{n} 分钟', hours: '{n} 小时', days: '{n} 天', ago: '{span}前', ahead: '{span}后',
        note: '备注', reason: '原因', yes: '是', no: '否', no_number: '“{text}”不是数字。',
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
    check: { high: '远高于平时', low: '远低于平时', negative: '倒走', prolonged: '长期估抄', spike: '尖峰', zero: '零用量', overload: '超过 Q3', limit: '超限' },
    command: { valve: '阀门', report_every: '上报间隔', report_offset: '上报时刻', step: '数据步长', base_index: '表底数', history: '补抄缺数', time: '对时' },
    command_state: { queued: '排队中', sent: '已下发', delivered: '已送达', done: '已完成', failed: '失败', expired: '已过期' },
    edit_state: { waiting: '待复核人', 'in-force': '已生效', refused: '已驳回', 'undo-waiting': '待撤回', undone: '已撤回' },
    event: {
        order: '订购', receive: '到货', inspect: '验收', verify: '检定', reject: '拒收', stock: '入库', issue: '领用', return: '退库', install: '安装', suspend: '报停', resume: '恢复',
        fault: '故障', remove: '拆除', 'to-lab': '送检', retire: '退役', scrap: '报废', lose: '遗失', find: '找回',
    },
    evidence: {
        min_flow_lph: '最小流量', usual_flow_lph: '平时最小流量', first_min_flow_lph: '起初最小流量', limit_lph: '限值', peak_lph: '峰值', q3_lph: 'Q3', use_before_lpd: '此前日用水', use_since_lpd: '此后日用水', use_during_lpd: '期间日用水',
        last_moved_at: '最后走字', last_heard_at: '最后上报', changed_at: '变化时刻', seen_at: '发现时刻', zero_days: '停走', own_longest_hours: '自身最长停用', flowing_hours: '持续流水', nights: '夜数', nights_unusual: '异常夜数',
        nights_before: '此前夜数', lost_l: '累计损失', missed_pct: '少计', back_l: '倒走量', forward_l: '正走量', period_h: '上报周期', longest_pause_h: '此前最长间隔', limit_h: '限值', meters: '水表数', silent: '失联数', by_night: '夜间',
        days_before: '此前天数', days_since: '此后天数', readings: '读数个数', dial_l: '表盘', off_l: '相差', tolerance_l: '允差', legal_end: '有效期至', score: '得分', hours_with_use_pct: '用水小时占比', between_meters_lph: '两表间流量',
        agreed_at: '最后相符', dial_at: '表盘抄读', counted_at: '计数时刻', counted_l: '计数', empty_at: '空置', from_at: '起', since_installed: '装表以来', rule_years: '规定年限', stop_and_go_odds_ln: '停走几率', bound_days: '确认天数', longest_days: '最长',
    },
    flag: {
        flag: '异常', open: '查看', since: '起始', told: '发现', after: '开始后{span}', ended: '结束', lost: '损失', sure: '可信度', decided: '认定', evidence: '依据', orders: '工单', confirm: '确认', dismiss: '排除',
        confirm_about: '现场情况属实。此结果计入该类异常的准确率。', dismiss_about: '情况不属实。此表的判定将稍微收紧。', order: '派工单', make_order: '生成工单', order_kind: '工作内容',
        priority: '优先级', assignee: '班组', nobody: '暂无',
    },
    flag_state: { open: '未关闭', cleared: '已解除', confirmed: '已确认', dismissed: '已排除', withdrawn: '已撤销' },
    flags: { title: '异常', kind: '类型', where: '用水点', severity: '等级', lost: '损失 m³/天', sure: '可信度', since: '起始', state: '状态', all: '全部', none: '没有这样的异常。' },
    meter: {
        title: '水表 {serial}', view: '水表', parts: '页面内容', chart: '曲线', life: '生命周期', frames: '报文', commands: '命令', edits: '修正', facts: '档案', point: '用水点', address: '地址', account: '户号', use: '用水性质', zone: '计量区', route: '抄表册',
        fitted: '安装时间', pulse: '分辨率', radio: '通信号', batch: '批次', made: '出厂', verified: '检定', on: '装于 {point}', off: '拆除', no_flags: '从未有过异常。', draw: '在曲线上标出依据', no_life: '没有生命周期记录。',
        frame: '{at} 的报文', not_explained: '此报文无法逐字段解析。', fields: '逐字段解析', offset: '偏移', bytes: '字节', field: '字段', value: '值', meaning: '含义', arrived: '到达', way: '途径', peer: '来源', len: '字节数',
        fault: '错误', no_frames: '没有保留此表的报文：人工抄读，或已超过保留期。', asked_at: '提出时间', what: '内容', by: '提出人', tries: '次数', no_commands: '没有下发过命令。', of: '针对时刻', index: '表底数 m³',
        second: '复核', approve: '同意', refuse: '驳回', no_edits: '此处没有修正。',
    },
    meter_state: {
        ordered: '已订购', received: '已到货', verified: '已检定', rejected: '已拒收', 'in-stock': '在库', issued: '已领用', running: '在用', suspended: '报停', faulty: '故障', removed: '已拆除', 'at-lab': '在检',
        retired: '已退役', scrapped: '已报废', lost: '已遗失',
    },
    meters: {
        title: '水表', search: '查找', search_hint: '表号、用水点或户号的开头', nothing: '没有以“{q}”开头的内容。', serial: '表号', state: '状态', model: '型号', dialect: '协议', depot: '仓库', none: '尚未登记水表。',
    },
    order_kind: { replace: '换表', inspect: '检查', verify: '检定', repair: '维修', read: '抄表' },
    order_state: { open: '待派单', assigned: '已派单', started: '处理中', done: '已完成', cancelled: '已取消' },
    priority: { urgent: '紧急', high: '高', normal: '普通', low: '低' },
    routes: {
        title: '抄表册', route: '册号', name: '名称', reader: '抄表员', org: '单位', days: '抄表日', daily: '每天', today: '今日', none: '尚未登记抄表册。', no_points: '没有用水点', signed: '已签', arrived: '{n} / {all}', missing: '缺抄 {n}', odd: '异常 {n}',
        disputed: '争议 {n}', to_sign: '可签',
    },
    rule: { future: '时间戳超前', 'not-fitted': '未安装在任何用水点', conflict: '同一时刻另有读数', ceiling: '超过可能流量', fall: '低于前一读数', peak: '尖峰' },
    sheet: {
        title: '抄表册 {route}', view: '抄表日', day: '日期', day_before: '前一天', day_after: '后一天', filter: '按状态筛选', all: '全部', seq: '序号', address: '地址', meter: '水表', radio: '远传 m³', hand: '人工 m³', use: '用水量 m³', state: '状态', reason: '情况',
        point: '用水点', difference: '差值', since: '自 {at}', heard: '最后上报', checks: '核查', remark: '说明', row: '当前行', signed: '已签', changed: '现有数据已不同', blind: '盲抄', blind_hint: '未人工抄读前不显示远传读数',
        none: '{day} 此册没有用水点。', none_so: '没有此状态的行。', read: '抄读', read_at: '抄读表盘：{point}', dial_m3: '表盘读数 m³', dial_hint: '请输入全部位数，例如 1204.318', record: '记录', confirm: '表盘确实显示此数',
        correct: '修正', correct_at: '修正：{point}', correct_about: '{at} 的表盘读数。变动较大时须第二人复核。', dispute: '提出争议', dispute_at: '提出争议：{point}', dispute_of: '争议', disputed_by: '{who} 于 {at} 提出：',
        resolve: '处理争议', resolve_at: '处理争议：{point}', resolution: '处理结果', remark_at: '说明：{point}', remark_hint: '签册时随该行保存。', sign: '签册', sign_title: '签册 {route}，{date}',
        sign_about: '共 {all} 点：正常 {ok}，缺抄 {missing}，异常 {odd}。签册后数据不再变动。', sign_blocked: '有 {n} 行存在争议，请先处理。', remark_of: '{n} 行：{reason}', own_remarks: '其中 {n} 行已有单独说明。',
        signed_by: '{who} 于 {at} 签册。',
    },
    sheet_state: { ok: '正常', missing: '缺抄', odd: '异常', disputed: '有争议', signed: '已签' },
    thing: { serial: '水表', point: '用水点', account: '户号', order: '工单', route: '抄表册', zone: '计量区', crew: '班组', batch: '批次' },
    use_class: { residential: '居民', commercial: '商业', industrial: '工业', public: '公共', hydrant: '消火栓', 'zone-inlet': '片区进口', 'zone-outlet': '片区出口' },
    chart: {
        time: '时间', tools: '缩放', in: '放大', out: '缩小', earlier: '更早', later: '更晚', all: '全部',
        span: '时间范围', year: '一年', use_day: '日用水量', use_hour: '流量', least_flow: '最小流量', register: '表底数', gap: '{span}无数据', of_meter: '水表 {serial} 的用水量与表底数',
        nothing: '此时段没有读数。', moved: '所示时段表底数走了 {m3} m³；每柱为{span}，读数间隔{step}。', suspects: '{n} 个读数不参与计算（叉号）。',
        gaps: '{n} 处缺口内用水 {m3} m³，未计入任何柱。',
    },
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
        no_routes: '没有由您负责的抄表册。', arrived_of: '已到，共 {all} 点', missing: '缺抄', odd: '异常或有争议', signed_of: '已签，共 {all} 册', my_routes: '我的抄表册', yesterday: '昨日',
        look_at: '需要查看', nothing_odd: '没有缺抄和异常。',
    },
    users: {
        title: '人员', new: '新增人员', create: '创建', change: '修改 {name}', name: '姓名', role: '角色', org: '单位', org_hint: '留空：所有单位。', all_units: '全部', password: '密码',
        password_new: '新密码', password_ends: '仅在需要更换时填写；该人员的登录会全部结束。', enabled: '允许登录', state: '状态', may: '可登录', shut_out: '已停用',
        changed: '修改时间', by: '修改人', none: '除令牌外，尚无人可登录。',
    },
};
