"""Tables of ideographs that are easily mistaken for each other, short on purpose: those of everyday texts.

Compatibility ideographs and most radicals are not listed: Unicode says what they stand for (`unicodedata`).
"""

_SAME_SHAPE = """
    户戶戸 黄黃 録錄 吴吳呉 决決 况況 减減 净淨 凉涼 强強 値值 眞真 姬姫 脱脫 悦悅 税稅 鋭銳 戻戾 歩步 渉涉 温溫
    内內 呂吕 宮宫 顔顏 敎教 曾曽 既旣 即卽 産產 清淸 青靑 晩晚 徳德 冊册 舎舍 尚尙 巻卷 抜拔 毎每 高髙 崎﨑 吉𠮷 静靜
    緑綠 縁緣 絶絕 横橫 虚虛 郎郞 黒黑 麼麽 別别 查査 并幷 研硏 寛寬 徴徵 奥奧 呐吶 抛拋 殻殼 痩瘦
"""
SAME_SHAPE = tuple(_SAME_SHAPE.split())
"""Groups of ideographs that differ by a dot or the form of a stroke: of Chinese, Japanese and Korean standards."""

_VARIANTS = """
    国國 学學 气氣気 图圖図 广廣広 当當 会會 来來 万萬 与與 为為 书書 东東 车車 马馬 门門 见見 长長 风風 飞飛 鱼魚
    鸟鳥 龙龍竜 龟龜亀 麦麥 齐齊斉 齿齒歯 声聲 医醫 区區 单單単 号號 变變変 双雙 园園 团團団 圆圓円 处處処 备備 头頭
    实實実 宝寶 对對対 导導 尔爾 层層 岁歲歳 岛島 师師 帅帥 帐帳 带帶帯 庆慶 应應応 开開 异異 张張 归歸帰 忆憶 怀懷
    战戰戦 执執 扩擴拡 报報 担擔 择擇択 挂掛 数數 断斷 旧舊 时時 显顯顕 晓曉暁 术術 杀殺 条條 杨楊 权權権 枪槍 极極
    构構 样樣様 桥橋 检檢検 楼樓 乐樂楽 欢歡歓 汉漢 济濟済 浅淺 湾灣 满滿満 灯燈 点點 炼煉 热熱 爱愛 牺犧 状狀 独獨
    猪豬 环環 现現 画畫 畅暢 疗療 监監 盐鹽塩 确確 礼禮 离離 种種 积積 称稱 穷窮 窃竊 笔筆 类類 粮糧 紧緊 红紅 约約
    级級 纪紀 纸紙 细細 织織 终終 经經経 结結 给給 统統 绘繪絵 继繼継 续續続 罗羅 义義 习習 职職 联聯 肃肅粛 胆膽
    脑腦脳 艺藝芸 节節 苏蘇 药藥薬 获獲 虫蟲 虽雖 补補 装裝 观觀観 规規 觉覺覚 计計 认認 记記 讲講 许許 论論 设設
    证證証 译譯訳 诗詩 话話 该該 语語 说說説 请請 读讀読 课課 谁誰 调調 谈談 贝貝 负負 财財 责責 贵貴 买買 卖賣売
    赞贊賛 赵趙 转轉転 轮輪 轻輕軽 载載 辞辭 边邊辺 达達 迁遷 过過 运運 还還 进進 远遠 连連 迟遲遅 选選 递遞逓 邮郵
    释釋釈 针針 钟鐘 钱錢銭 铁鐵鉄 银銀 铃鈴 锦錦 镇鎮 问問 间間 闻聞 关關関 阳陽 阴陰 阶階 陈陳 随隨 难難 电電 韩韓
    页頁 顺順 须須 颂頌 领領 题題 馆館 骂罵 驱驅駆 验驗験 惊驚 鸡雞鶏 鸣鳴 党黨 佛仏 假仮 传傳伝 伤傷 价價 仪儀 优優
    众衆 体體 侠俠 两兩両 举舉挙 卫衛 厅廳庁 尽盡 霊靈灵 栄榮荣
"""
VARIANTS = tuple(_VARIANTS.split())
"""Groups of an ideograph in its simplified, traditional and Japanese forms, one character each."""

_RADICALS = """
    ⺟母 ⺠民 ⺝月 ⺎兀 ⺕彐 ⺬示 ⺮竹 ⺼肉 ⻁虎 ⻄西 ⻅见 ⻆角 ⻉贝 ⻋车 ⻑長 ⻓长 ⻔门 ⻘青 ⻙韦 ⻚页 ⻛风 ⻜飞 ⻝食
    ⻞食 ⻟食 ⻠饣 ⻢马 ⻣骨 ⻤鬼 ⻥鱼 ⻦鸟 ⻧卤 ⻨麦 ⻩黄 ⻬齐 ⻮齿 ⻰龙 ⻳龟
"""
RADICALS = {pair[0]: pair[1] for pair in _RADICALS.split()}
"""Radicals of the CJK Radicals Supplement -> the ideographs that look like them."""

_KANA_TWINS = """
    カ力 ロ口 ニ二 ハ八 タ夕 エ工 ト卜 チ千 オ才 ム厶 ノ丿 ヒ匕 ヌ又 ー一
"""
KANA_TWINS = {pair[0]: pair[1] for pair in _KANA_TWINS.split()}
"""Katakana -> the ideographs that look like them."""
