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
    adjustment_reason: { fitting: '装表变更', edit: '修正', estimate: '估抄', reading: '补到读数' },
    adjustments: {
        title: '调整', id: '编号', m3: '水量 m³', exact: '精确值 m³', value: '现值 m³', reason: '原因', text: '关账时未知的情况', at: '生成时间', none: '尚无任何周期被调整。',
    },
    check: { high: '远高于平时', low: '远低于平时', negative: '倒走', prolonged: '长期估抄', spike: '尖峰', zero: '零用量', overload: '超过 Q3', limit: '超限' },
    command: { valve: '阀门', report_every: '上报间隔', report_offset: '上报时刻', step: '数据步长', base_index: '表底数', history: '补抄缺数', time: '对时' },
    command_state: { queued: '排队中', sent: '已下发', delivered: '已送达', done: '已完成', failed: '失败', expired: '已过期' },
    cycle: {
        title: '周期 {cycle}', tabs: '周期的各部分', tab_standing: '进度', tab_review: '待复核', tab_figures: '水量', tab_unsettled: '未结算', tab_adjustments: '调整',
        standing: '当前进度', facts: '基本信息', opened: '开启', reviewed: '复核', closed: '关账', missing_points: '{n} 个用水点缺失', more_missing: '完整名单见“水量”中的“缺失”。',
        none_missing: '没有缺失的用水点。', elsewhere: '其抄表册中有 {n} 个用水点的部分时段已在另一关账周期内。', edits_waiting: '有 {n} 项修正待他人审批；关账后生效的部分将成为调整。',
        say_reviewed: '标记为已复核', reviewed_about: '表示已有人复核本周期。关账之前，水量仍可能变化。',
        close: '关账', close_title: '周期 {cycle} 关账？', close_about: '关账将冻结 {n} 条计费水量，不可撤销；此后得知的情况均生成调整。',
        close_missing: '{n} 个用水点将按缺失冻结。', close_estimated: '{n} 个用水点将按估抄冻结。', close_unreviewed: '仍有水量待复核：', close_sure: '确认按现状冻结水量',
    },
    cycle_state: { open: '进行中', reviewed: '已复核', closed: '已关账' },
    cycles: {
        title: '计费周期', cycle: '周期', state: '状态', from: '起', to: '止', points: '用水点', missing: '缺失', estimated: '估抄', use: '用量 m³', billed: '计费 m³', none: '尚未开启任何周期。',
        open: '开启周期', open_n: '以 {n} 个抄表册开启', name: '名称', name_hint: '至多 64 个字符，将出现在每条计费记录上。', first_day: '首日', day_after: '末日次日', day_after_hint: '时段止于该日零时。', routes: '抄表册',
    },
    determinants: {
        account: '户号', start: '起码 m³', end: '止码 m³', checks: '校核', before: '上一页', after: '下一页', none: '没有符合条件的水量。', all_settled: '已取走的水量均已结算。',
        preview_about: '若现在关账将冻结的水量，尚未固定。', unsettled_about: '计费系统已取走但从未回报开账。',
    },
    edit_state: { waiting: '待复核人', 'in-force': '已生效', refused: '已驳回', 'undo-waiting': '待撤回', undone: '已撤回' },
    edits: {
        title: '修正', id: '编号', at: '对应时刻', index: '表底 m³', delta: '变动 m³', state: '状态', by: '申请人', one: '修正内容', asked: '申请', instead: '替代读数 m³', span: '此前用量 m³', decided: '审批', undo_wanted: '申请撤回',
        second: '须由他人审批。', approve: '批准', approve_title: '批准修正 {id}', refuse: '驳回', refuse_title: '驳回修正 {id}', withdraw: '撤销申请', undo: '撤回', undo_title: '撤回修正 {id}', none: '没有符合条件的修正。',
    },
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
    figures: {
        title: '月度指标', figure: '指标', unit: '单位', target: '目标 %', counts: '计入', of: '总数', without: '剔除', later: '按现知 %', source: '出处', month: '月份', level: '统计层级', none: '该月没有可统计的数据。',
        freeze: '{month} 月结', freeze_about: '所有指标按现状冻结。此后得知的情况只在旁列示，不改变已冻结的数值。', frozen: '{who} 于 {at} 月结，数值不再变化。',
    },
    flag: {
        flag: '异常', open: '查看', since: '起始', told: '发现', after: '开始后{span}', ended: '结束', lost: '损失', sure: '可信度', decided: '认定', evidence: '依据', orders: '工单', confirm: '确认', dismiss: '排除',
        confirm_about: '现场情况属实。此结果计入该类异常的准确率。', dismiss_about: '情况不属实。此表的判定将稍微收紧。', order: '派工单', make_order: '生成工单', order_kind: '工作内容',
        priority: '优先级', assignee: '班组', nobody: '暂无',
    },
    flag_state: { open: '未关闭', cleared: '已解除', confirmed: '已确认', dismissed: '已排除', withdrawn: '已撤销' },
    flags: { title: '异常', kind: '类型', where: '用水点', severity: '等级', lost: '损失 m³/天', sure: '可信度', since: '起始', state: '状态', all: '全部', none: '没有这样的异常。' },
    holder: { depot: '仓库', crew: '班组' },
    level: { all: '全部', company: '公司', branch: '分公司', team: '班组', route: '抄表册', org: '单位' },
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
    method: { read: '实抄', interpolated: '两次读数间内插', 'like-day': '参照同类日', profile: '按用水规律', 're-based': '表底重置' },
    missing_why: { 'not-over': '时段未结束', 'never-read': '从未抄到', 'first-week': '装表首周，依据不足' },
    order_kind: { replace: '换表', inspect: '检查', verify: '检定', repair: '维修', read: '抄表' },
    order_state: { open: '待派单', assigned: '已派单', started: '处理中', done: '已完成', cancelled: '已取消' },
    paper: {
        title: '单据', what: '结果', where: '所在', meters: '水表', ordered: '订购', received: '到货', short: '欠交', over: '超交', missing: '盘亏', surplus: '盘盈（账上在别处）', unknown: '未登记', failed: '不合格',
    },
    paper_kind: { order: '订购单', receive: '收货单', reject: '退货单', stock: '入库单', issue: '领料单', return: '退料单', 'to-lab': '送检单', retire: '退役单', scrap: '报废单', delivery: '到货核对', stocktake: '盘点', sample: '抽检' },
    paper_what: { done: '完成', missing: '盘亏', surplus: '在别处', unknown: '未登记', 'other-batch': '批次不符', 'other-model': '型号不符', 'other-state': '状态不符', pass: '合格', fail: '不合格' },
    point: {
        title: '用水点', facts: '基本信息', use_class: '用水性质', route: '抄表册', zone: '计量区', behind: '上级', phone: '电话', meters: '水表', no_meter: '此处从未装表。', now: '至今', year: '{year} 年已结算', settled: '已结算', of_cycles: '来自 {n} 个周期',
        adjusted: '调整', since: '{at} 以来', use: '用量', step: '按', no_use: '没有用量数据。', reckoned: '计算过程', flags: '异常',
    },
    priority: { urgent: '紧急', high: '高', normal: '普通', low: '低' },
    quality: { actual: '实抄', edited: '修正', estimated: '估抄', missing: '缺失' },
    reckoned: { billed: '按表盘 {n} m³', litres: '以升计', no_meter: '无表', from: '起', to: '止', left_off: '另有 {n} 段未列出。', version: '第 {n} 版' },
    replacements: {
        title: '换表清单', rank: '序', meter: '水表', address: '地址', why: '原因', loss: '月损失 m³', sure: '把握', due: '到期', benefit: '收益', none: '没有需要更换的水表。', map: '待换水表', print: '打印', new_serial: '新表号', indexes: '旧码 / 新码',
        budget: '预算', changes: '更换 {n} 只', cost: '费用', recovered: '每月挽回', duties: '履行法定', duties_n: '超期 {over} 只，{days} 天内到期 {soon} 只', left: '剩余', left_n: '仍值得换 {n} 只，每月 {m3} m³', stops: '{of} 只候选中，更换到第 {n} 只后不再划算。', mark_first: '选中前 {n} 只',
    },
    review: {
        point: '用水点', why: '原因', use: '用量 m³', usual: '平时 m³', quality: '质量', all: '全部', none: '没有待复核的水量。', exchanged: '{day} 换表：{old} → {new}。', flags: '其水表有 {n} 条未结异常',
        pass: '通过', pass_marked: '通过 {n} 条', pass_reason: '全部通过：{reason}', pass_about: '水量若再变化，将重新待复核。', min: '不低于 m³', max: '不高于 m³', passed: '已通过 {n} 条。',
    },
    review_reason: {
        'estimated-twice': '连续两期估抄', 'first-after-exchange': '换表后首期', high: '偏高', 'large-user': '大用户', low: '偏低', missing: '缺失', negative: '负量', prolonged: '长期未实抄', spike: '突增', zero: '零用量', 'edit-waiting': '修正待审批',
    },
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
    source: { remote: '远传', manual: '人工', photo: '照片', fitting: '装表底数', edit: '修正' },
    step: { day: '按日', month: '按月' },
    stock: {
        title: '库存', holder: '保管', nowhere: '去向未登记', model: '型号', state: '状态', meters: '水表', earliest: '最早到期', under_a_year: '不足一年', overdue: '已过期', unverified: '未检定', none: '没有库存。', notes: '单据', note: '单号', kind: '类别', at: '时间', no_notes: '没有单据。',
    },
    today_billing: {
        open: '进行中的周期', waiting: '待审批的修正', visits: '需上门的用水点', adjusted: '{cycle} 的调整', none_open: '没有进行中的周期。', none_waiting: '没有待审批的修正。', missing: '缺失 {n}', to_review: '待复核 {n}', estimated: '估抄 {n}', ready: '可以关账',
        last: '最近关账：{cycle}，{n} 个用水点，{m3} m³。',
    },
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
    verdict: { accepted: '接收', rejected: '拒收' },
    verifications: {
        title: '检定', by_month: '在用水表按法定到期月份', bar: '{month}：在用 {n} 只，在库 {store} 只', due: '法定到期', left: '剩余天数', never: '从未检定', overdue: '已超期', never_verified: '从未检定', in_months: '{n} 个月内到期', in_store: '其中在库', due_in: '{month} 到期', none: '没有到期的水表。',
    },
    visit_cause: { 'never-read': '从未抄到', missing: '依据不足', 'estimated-twice': '连续两期估抄', unread: '一月未抄', disputed: '有争议' },
    visits: { title: '需上门的用水点', about: '这些表须有人到场抄读：示数无从得知，或估抄时间过长。', cause: '原因', days: '天数', last: '最近读数', order: '工单', make_orders: '生成 {n} 张工单', ordered: '已生成 {n} 张工单。', none: '没有需要人工抄读的水表。' },
};
