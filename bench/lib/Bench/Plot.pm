# Bars in an SVG file that any browser shows.
package Bench::Plot;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use List::Util qw(max);

our @EXPORT = qw(write_bars);

my ($LABEL, $WIDTH, $BAR, $HEAD) = (200, 900, 18, 26);
my @COLOURS =
  map { "#$_" } qw(4269d0 efb118 ff725c 6cc5b0 3ca951 ff8ab7 a463f2);

# Each bar is {group, label, value}, and low and high if it varied.  Groups
# come in their order and have each a scale of their own; a label has one colour
# in all of them.
sub write_bars
{
	my ($file, %plot) = @_;
	my (@groups, %bars, %colour);
	my $y = $HEAD * 2;
	my $body = '';

	for my $bar (@{ $plot{bars} })
	{
		push @groups, $bar->{group} if !$bars{ $bar->{group} };
		push @{ $bars{ $bar->{group} } }, $bar;
		$colour{ $bar->{label} } //= $COLOURS[ keys(%colour) % @COLOURS ];
	}
	for my $group (@groups)
	{
		my @bars = @{ $bars{$group} };
		my $top = max(map { $_->{high} // $_->{value} } @bars) || 1;

		$body .= text(10, $y, $group, 'font-weight="bold"');
		for my $bar (@bars)
		{
			$y += $BAR + 4;
			$body .= bar(
				$y, $bar,
				($WIDTH - $LABEL - 120) / $top,
				$colour{ $bar->{label} });
		}
		$y += $HEAD + 8;
	}
	save($file, $y,
		text(10, 24, "$plot{title} ($plot{unit})", 'font-size="16"') . $body);
	return;
}

# One line of the picture; a thin line tells how far it varied.
sub bar
{
	my ($y, $bar, $scale, $colour) = @_;
	my $length = $bar->{value} * $scale;
	my $end = $LABEL + max($length, ($bar->{high} // 0) * $scale);
	my $top = $y - $BAR + 5;
	my $svg = text($LABEL - 8, $y, $bar->{label}, 'text-anchor="end"');

	$svg .= sprintf
	  qq{<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>\n},
	  $LABEL, $top, $length, $BAR, $colour;
	$svg .= sprintf
	  qq{<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#222"/>\n},
	  $LABEL + $bar->{low} * $scale, $LABEL + $bar->{high} * $scale,
	  $top + $BAR / 2, $top + $BAR / 2
	  if defined $bar->{low};
	return $svg . text($end + 6, $y, sprintf('%.4g', $bar->{value}), '');
}

sub text
{
	my ($x, $y, $text, $more) = @_;
	my %escape = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');

	$text =~ s/([&<>])/$escape{$1}/g;
	return sprintf qq{<text x="%.0f" y="%d" %s>%s</text>\n}, $x, $y, $more,
	  $text;
}

sub save
{
	my ($file, $height, $body) = @_;

	open my $fh, '>', $file or croak "$file: $!";
	print $fh qq{<svg xmlns="http://www.w3.org/2000/svg" width="$WIDTH" },
	  qq{height="$height" font-family="sans-serif" font-size="13">\n},
	  qq{<rect width="100%" height="100%" fill="white"/>\n}, $body,
	  "</svg>\n";
	close $fh or croak "$file: $!";
	return;
}

1;
